#!/bin/bash
# Shows xmppd on two CPEs behind a NAT router, in containers (integration/docker/compose.yaml). Each step is checked: the exit
# status is 0 only if all of them succeed. No container, network or volume is left; images are kept.
set -euo pipefail
cd "$(dirname "$0")/.."
. integration/docker/engine.sh
. integration/docker/leftovers.sh
. scripts/demo-helpers.sh

domain=isp.test
router_address=10.230.0.2
# Each look at a container takes a while.
# shellcheck disable=SC2034 # used by wait_for
pause=0.3

# ------------------------------------------------------------------------------------------------ helpers

cannot() { printf '%s\n' "$*" >&2; exit "$unusable"; }

if docker compose version > /dev/null 2>&1; then
	compose_command=(docker compose)
else
	compose_command=(docker-compose)
fi
compose() {
	timeout -k 10 120 "${compose_command[@]}" --file integration/docker/compose.yaml --project-name "$harness-demo" "$@"
}
# on HOST COMMAND...
on() {
	local id
	id=$(docker container ls --quiet --filter "label=$label=demo" --filter "label=com.docker.compose.service=$1")
	[ -n "$id" ] || fail "$1 does not run"
	shift
	timeout 60 docker container exec "$id" "$@"
}
logs() { compose logs --no-color "$1" 2>&1 | sed 's/^[^|]*| \?//'; }

started=
finish() {
	local status=$?
	trap - EXIT
	trap '' INT TERM
	if [ -n "$started" ]; then
		[ "$status" -eq 0 ] || compose logs --no-color --tail 15 2>&1 | tail -n 60 >&2 || true
		heading 'Taking it down'
		compose down --volumes --timeout 3 > /dev/null 2>&1 || true
		if leave_nothing demo; then
			note 'no container, network or volume is left'
		else
			status=1
		fi
	fi
	if [ "$status" -eq 0 ]; then
		heading 'All steps succeeded'
	else
		printf '\nThe demo failed (exit status %s).\n' "$status" >&2
	fi
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The server's view of a full JID: "PORT SESSION" while it is online.
session() { logs prosody | present_session "$1"; }
# The addresses and ports from which clients are connected to the server, as the server sees them.
peers() { on prosody ss -Htn state established '( sport = :5222 or sport = :5223 )' | awk '{ print $4 }'; }
server_is_up() { logs prosody | grep -q '	started	'; }
enabled() { on "$1" xmppd status --json 2> /dev/null | grep -q '"status": *"Enabled"'; }
calls() { on "$1" find /var/cwmp/calls -name '*.end' | wc -l; }
last_call() { on "$1" sh -c 'find /var/cwmp/calls -type f ! -name "*.end" | sort | tail -n 1 | xargs cat'; }

# ask ACCOUNT CPE: prints the output of connreq and returns its exit status
ask() {
	on acs connreq --jid "$1@$domain" --ca /trust --connreq-user cpe-user "$2@$domain/wan" 2>&1 | sed 's/^/   connreq | /'
	return "${PIPESTATUS[0]}"
}
# asking STATUS ACCOUNT CPE CALLS: the request ends with this status and so many calls of the CWMP client
asking() {
	local before status=0 made
	before=$(calls "$3")
	note "$2@$domain asks $3"
	ask "$2" "$3" || status=$?
	[ "$status" -eq "$1" ] || fail "connreq exited with $status instead of $1"
	made=$(($(calls "$3") - before))
	[ "$made" -eq "$4" ] || fail "the CWMP client was notified $made times"
}
accepted() {
	asking 0 "$1" "$2" 1
	[ "$(last_call "$2")" = '["inform", {"event": "6 CONNECTION REQUEST"}]' ] || fail "another call: $(last_call "$2")"
	note "the CWMP client was notified on ubus: tr069 $(last_call "$2")"
}
refused() {
	asking 1 "$1" "$2" 0
	note 'the CWMP client was not notified'
}
old_acs_is_refused() {
	local status=0
	ask acs cpe1 || status=$?
	[ "$status" -le 1 ] || fail 'no answer'
	[ "$status" -eq 1 ]
}

# -------------------------------------------------------------------------------------------------- the demo

problem=$(engine_problem)
[ -z "$problem" ] || cannot "$problem"
"${compose_command[@]}" version > /dev/null 2>&1 ||
	cannot 'neither docker-compose nor the plugin "docker compose" is installed'

heading 'Building the images that are missing'
TAG=$(integration/docker/hosts.sh)
export TAG
note "their tag is $TAG"

alone demo
remove_leftovers demo
heading "A server, DNS and an ACS; a NAT router; behind it cpe1 and cpe2, each on a network of its own"
started=yes
compose up --detach 2> /dev/null || fail "the hosts do not start: $(compose up --detach 2>&1)"
wait_for 30 "Prosody's start" server_is_up
for cpe in cpe1 cpe2; do
	wait_for 30 "$cpe's login" enabled "$cpe"
	note "$cpe is online"
done

heading 'Both are behind NAT: the server sees the address of the router, from which each has a mapping'
for cpe in cpe1 cpe2; do
	own=10.230.${cpe#cpe}.10
	seen=$(session "$cpe@$domain/wan")
	[ -n "$seen" ] || fail "the server does not know $cpe"
	peers | grep -qxF "$router_address:${seen% *}" || fail "$cpe is not connected from $router_address: $(peers)"
	! peers | grep -qF "$own:" || fail "the server sees $own"
	mapping=$(on router conntrack -L -p tcp --orig-src "$own" --state ESTABLISHED 2> /dev/null | grep "dport=${seen% *} ") ||
		fail "the router has no mapping for $cpe"
	note "$cpe has $own; the server sees $router_address, port ${seen% *}. The router's mapping:"
	note "   $(tr -s ' ' <<< "$mapping")"
done

heading 'The ACS sends connection requests through the NAT'
accepted acs cpe1
accepted acs cpe2

heading 'Another user sends one'
refused other cpe1

heading 'The UCI file in cpe1 is edited: allowed_jid is acs2 instead of acs'
before=$(session "cpe1@$domain/wan")
on cpe1 sed -i "s/acs@$domain/acs2@$domain/" /etc/config/xmpp
on cpe1 grep allowed_jid /etc/config/xmpp | sed 's/^/   | /'
wait_for 10 'the refusal of acs' old_acs_is_refused
refused acs cpe1
accepted acs2 cpe1
accepted acs cpe2
[ "$(session "cpe1@$domain/wan")" = "$before" ] || fail "cpe1's stream was affected"
note 'the server sees cpe1 on the same TCP connection as before'

heading 'The status of each'
for cpe in cpe1 cpe2; do
	on "$cpe" xmppd status | sed "s/^/   $cpe | /"
	enabled "$cpe" || fail "$cpe is not online"
done
