#!/bin/sh
# A name server that knows SRV (arguments of dnsmasq's --srv-host with blanks between them) and HOSTS (NAME=ADDRESS with
# blanks between them) below the domain test, and nothing else. /srv/dns/hosts can be edited; SIGHUP makes it be read.
set -eu
for pair in ${HOSTS:-}; do
	echo "${pair#*=} ${pair%%=*}"
done > /srv/dns/hosts
set --
for record in ${SRV:-}; do
	set -- "$@" "--srv-host=$record"
done
exec dnsmasq --keep-in-foreground --user=root --log-facility=- --log-queries --no-resolv --no-hosts --local=/test/ \
	--addn-hosts=/srv/dns/hosts "$@"
