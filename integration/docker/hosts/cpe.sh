#!/bin/sh
# A CPE: xmppd, with stand-ins of ubusd and of a CWMP client, whose calls are written into /var/cwmp/calls. DNS is its name
# server. CLOCK sets its clock to that time, and IPV6_ONLY takes its IPv4 addresses away. Without a file /etc/config/xmpp it
# gets one for USERNAME, PASSWORD and DOMAIN, with requests from ALLOWED.
set -eu
[ -z "${DNS:-}" ] || for server in $DNS; do echo "nameserver $server"; done > /etc/resolv.conf
[ -z "${IPV6_ONLY:-}" ] || ip -4 addr flush scope global
if [ -n "${CLOCK:-}" ]; then
	LD_PRELOAD=$(echo /usr/lib/*/faketime/libfaketime.so.1)
	export LD_PRELOAD FAKETIME="@$CLOCK" FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1
fi
mkdir -p /var/run/xmppd /var/run/ubus /var/cwmp/calls
umask 077
if [ ! -e /etc/config/xmpp ]; then
	cat > /etc/config/xmpp <<-END
		config xmpp 'xmpp'
			option enable '1'
			option id '1'
			option allowed_jid '${ALLOWED:?}'

		config connection
			option enable '1'
			option username '${USERNAME:?}'
			option password '${PASSWORD:?}'
			option domain '${DOMAIN:?}'
			option resource 'wan'
			option tls_ca '/trust'
			option interval '10'
			option initial_retry_interval '2'
			option retry_max_interval '5'
	END
fi
[ -e /etc/config/cwmp ] ||
	printf "config cpe 'cpe'\n\toption userid 'cpe-user'\n\toption passwd '%s'\n" "${SECRET:?}" > /etc/config/cwmp

echo '{"kind": "icwmp2022"}' > /var/cwmp/behaviour
python3 -sB /usr/local/lib/ubus/ubusd.py /var/run/ubus/ubus.sock /var/cwmp/violations &
until [ -S /var/run/ubus/ubus.sock ]; do sleep 0.1; done
python3 -sB /usr/local/lib/ubus/cwmp_client.py /var/run/ubus/ubus.sock /var/cwmp &
until [ -e /var/cwmp/ready ]; do sleep 0.1; done
exec xmppd run
