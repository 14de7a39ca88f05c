#!/bin/sh
# The ACS: a host on which `connreq` is run with `docker exec`. DNS is its name server.
set -eu
[ -z "${DNS:-}" ] || echo "nameserver $DNS" > /etc/resolv.conf
exec sleep infinity
