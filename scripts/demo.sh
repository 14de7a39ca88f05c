#!/bin/bash
# Shows xmppd at work with a real XMPP server, in a temporary directory. Each step is checked: the exit status is 0 only
# if all of them succeed. No process is left running.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/demo-helpers.sh

host=demo.test
account_password='password of the account'
export CONNREQ_PASSWORD=$account_password
export CONNREQ_SECRET='cpe-secret'

dir=$(mktemp -d)
server=; daemon=; printer=; ubusd=; client=

# ------------------------------------------------------------------------------------------------ helpers


finish() {
	local status=$?
	trap - EXIT
	trap '' INT TERM
	# They may have exited already. xmppd is killed if it does not stop.
	if [ -n "$daemon" ] && kill -TERM "$daemon" 2> /dev/null; then
		for _ in {1..50}; do
			kill -0 "$daemon" 2> /dev/null || break
			sleep 0.1
		done
		kill -KILL "$daemon" 2> /dev/null || true
	fi
	[ -z "$printer" ] || wait "$printer" 2> /dev/null || true
	[ -z "$client" ] || kill -KILL "$client" 2> /dev/null || true
	[ -z "$ubusd" ] || kill -KILL "$ubusd" 2> /dev/null || true
	[ -z "$server" ] || kill -KILL "$server" 2> /dev/null || true
	# Otherwise the shell reports them as killed.
	wait "$server" "$ubusd" "$client" 2> /dev/null || true
	rm -rf "$dir"
	[ "$status" -eq 0 ] || printf '\nThe demo failed (exit status %s).\n' "$status" >&2
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The server's view of a full JID: "PORT SESSION" while it is online, and how its last session ended.
session() { present_session "$1" < "$dir/sessions.log"; }
ended() { awk -F'\t' -v jid="$1" '$3 == jid { how = $2 == "unbind" ? $6 : "" } END { print how }' "$dir/sessions.log"; }
online() { [ -n "$(session "$1")" ]; }
offline() { ! online "$1"; }

unaffected() {
	[ "$(session "$1")" = "$2" ] || fail "the stream of $1 was affected: '$2' before, '$(session "$1")' now"
	note "the server sees $1 on the same TCP connection as before (from port ${2% *})"
}

account() {
	local folder=$dir/data/${host//./%2e}/accounts
	mkdir -p "$folder"
	printf 'return { ["password"] = "%s"; };\n' "$account_password" > "$folder/$1.dat"
}

calls() { find "$dir/cwmp/calls" -name '*.end' | wc -l; }
last_call() { find "$dir/cwmp/calls" -type f ! -name '*.end' | sort | tail -n 1 | xargs cat; }

# ask ACCOUNT CPE...: prints the output of connreq and returns its exit status
ask() {
	local account=$1
	shift
	"$bin/connreq" --jid "$account@$host" --server "127.0.0.1:$port" --ca "$dir/ca.pem" --connreq-user cpe-user \
		"${@/%/@$host/wan}" 2>&1 | sed "s/^/   connreq | /"
	return "${PIPESTATUS[0]}"
}
# ask_expecting STATUS ACCOUNT CPE...
ask_expecting() {
	local expected=$1 status=0
	shift
	ask "$@" || status=$?
	[ "$status" -eq "$expected" ] || fail "connreq exited with $status instead of $expected"
}
accepted() {
	local before
	before=$(calls)
	note "$1@$host asks $2"
	ask_expecting 0 "$@"
	[ "$(calls)" -eq $((before + 1)) ] || fail "the CWMP client was notified $(($(calls) - before)) times"
	[ "$(last_call)" = '["inform", {"event": "6 CONNECTION REQUEST"}]' ] || fail "the CWMP client got another call: $(last_call)"
	note "the CWMP client was notified on ubus: tr069 $(last_call)"
}
refused() {
	local before
	before=$(calls)
	note "$1@$host asks $2"
	ask_expecting 1 "$@"
	[ "$(calls)" -eq "$before" ] || fail "the CWMP client was notified"
	note "the CWMP client was not notified"
}

# run COMMAND...: shows a command and what it prints. With failing=1, the command is to exit with status 1.
run() {
	local status=0
	note "\$ ${shown:-$*}"
	"$@" 2>&1 | sed 's/^/   /' || status=${PIPESTATUS[0]}
	[ "$status" -eq "${failing:-0}" ] || fail "${shown:-$*}: exit status $status"
}
# xmppd COMMAND...
xmppd() {
	local socket=(--socket "$dir/xmppd.sock")
	[ "$1" != check ] || socket=()
	shown="xmppd $*" run "$bin/xmppd" "$1" "${socket[@]}" "${@:2}"
}

certificates() {
	cat > "$dir/openssl.cnf" <<-END
		[req]
		distinguished_name = name
		[name]
		[ca]
		basicConstraints = critical,CA:TRUE
		keyUsage = critical,keyCertSign
		[server]
		basicConstraints = critical,CA:FALSE
		subjectAltName = DNS:$host
	END
	local new=(openssl req -config "$dir/openssl.cnf" -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2)
	{
		"${new[@]}" -subj '/CN=CA of the demo' -extensions ca -keyout "$dir/ca.key" -out "$dir/ca.pem"
		"${new[@]}" -subj "/CN=$host" -extensions server -CA "$dir/ca.pem" -CAkey "$dir/ca.key" \
			-keyout "$dir/server.key" -out "$dir/server.crt"
	} > "$dir/openssl.log" 2>&1 || { cat "$dir/openssl.log" >&2; fail "openssl cannot create certificates"; }
}

server_is_up() { grep -q 'started' "$dir/sessions.log" 2> /dev/null; }
server_is_up_or_gone() { server_is_up || grep -q 'Failed to open server port' "$dir/prosody.log" 2> /dev/null || ! kill -0 "$server" 2> /dev/null; }

start_server() {
	for _ in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 12000))
		rm -f "$dir/prosody.log" "$dir/sessions.log"
		cat > "$dir/prosody.cfg.lua" <<-END
			run_as_root = true
			pidfile = "$dir/prosody.pid"
			data_path = "$dir/data"
			plugin_paths = { "$PWD/integration/harness/prosody" }
			sessions_view_file = "$dir/sessions.log"
			log = { info = "$dir/prosody.log" }
			interfaces = { "127.0.0.1" }
			c2s_ports = { $port }
			c2s_require_encryption = true
			modules_enabled = { "roster"; "saslauth"; "tls"; "disco"; "ping"; "posix"; "sessions_view" }
			modules_disabled = { "s2s"; "s2s_auth_certs" }
			authentication = "internal_plain"
			VirtualHost "$host"
			  ssl = { certificate = "$dir/server.crt"; key = "$dir/server.key" }
		END
		setpriv --pdeathsig KILL -- prosody -F --config "$dir/prosody.cfg.lua" > "$dir/console.log" 2>&1 &
		server=$!
		wait_for 20 "Prosody's start" server_is_up_or_gone
		if server_is_up; then return; fi
		kill -KILL "$server" 2> /dev/null || true
		wait "$server" 2> /dev/null || true
		server=
	done
	cat "$dir/prosody.log" >&2
	fail "Prosody does not start"
}

# Stand-ins for ubusd and for a CWMP client that answers as icwmp does.
start_bus() {
	mkdir -p "$dir/cwmp/calls"
	echo '{"kind": "icwmp2022"}' > "$dir/cwmp/behaviour"
	setpriv --pdeathsig KILL -- python3 -sB integration/harness/ubus/ubusd.py "$dir/ubus.sock" "$dir/violations" &
	ubusd=$!
	wait_for 20 "ubusd's start" test -S "$dir/ubus.sock"
	setpriv --pdeathsig KILL -- python3 -sB integration/harness/ubus/cwmp_client.py "$dir/ubus.sock" "$dir/cwmp" &
	client=$!
	wait_for 20 "the CWMP client's start" test -e "$dir/cwmp/ready"
}

# The contents of /etc/config/xmpp: set these, then `commit`. Connection i is the i-th of them.
allowed="acs@$host"; connections=(cpe1); enabled=(1)
section() { printf "\nconfig %s\n" "$1"; }
option() { printf "\toption %s '%s'\n" "$1" "$2"; }
config_text() {
	local i ids
	ids=$(seq -s, ${#connections[@]})
	printf "config xmpp 'xmpp'\n"
	option enable 1
	option id "$ids"
	printf "\tlist allowed_jid '%s'\n" "$allowed"
	for i in "${!connections[@]}"; do
		section connection
		option con_inst $((i + 1))
		option enable "${enabled[i]}"
		option username "${connections[i]}"
		option password "$account_password"
		option domain "$host"
		option resource wan
		option serveralgorithm ServerTable
		option tls_ca "$dir/ca.pem"
		section connection_server
		option con_id $((i + 1))
		option enable 1
		option server_address 127.0.0.1
		option port "$port"
	done
}
show() { sed "s/\\(password \\).*/\\1.../; s/^/   | /"; }
# Replaces the file as `uci commit` does, by a rename. Shows the difference.
commit() { write_config "$(config_text)"; }
# write_config TEXT
write_config() {
	(umask 077 && printf '%s\n' "$1" > "$dir/config/.xmpp.new")
	# diff exits with 1 if there is a difference.
	{ diff -U0 "$dir/config/xmpp" "$dir/config/.xmpp.new" || true; } | sed '1,2d; /^@@/d' | show
	mv "$dir/config/.xmpp.new" "$dir/config/xmpp"
}

# -------------------------------------------------------------------------------------------------- the demo

heading "Building xmppd and connreq"
cargo build --locked --package xmppd --bin xmppd
cargo build --locked --package connreq --bin connreq
bin=${CARGO_TARGET_DIR:-target}/debug
bin=$(cd "$bin" && pwd)

heading "An XMPP server (Prosody) for $host, with accounts for three CPEs, two ACSs and another user"
certificates
for name in cpe1 cpe2 cpe3 acs acs2 other; do account "$name"; done
start_server
note "it listens on 127.0.0.1:$port"

heading "xmppd logs in as cpe1@$host over TLS; acs@$host may send connection requests"
mkdir "$dir/config"
(umask 077 && config_text > "$dir/config/xmpp")
(umask 077 && printf "config cpe 'cpe'\n\toption userid 'cpe-user'\n\toption passwd '%s'\n" "$CONNREQ_SECRET" > "$dir/config/cwmp")
show < "$dir/config/xmpp"
start_bus
mkfifo "$dir/log"
sed -u 's/^/   xmppd | /' < "$dir/log" &
printer=$!
setpriv --pdeathsig TERM -- "$bin/xmppd" run --config "$dir/config/xmpp" \
	--cwmp-config "$dir/config/cwmp" --socket "$dir/xmppd.sock" --ubus-socket "$dir/ubus.sock" > "$dir/log" 2>&1 &
daemon=$!
wait_for 20 "xmppd's login" online "cpe1@$host/wan"
first=$(session "cpe1@$host/wan")
encrypted=$(grep -o 'Stream encrypted.*' "$dir/prosody.log" | tail -n 1) || fail "the stream is not encrypted"
note "the server sees cpe1@$host/wan, from port ${first% *}: $encrypted"

heading "The ACS sends a connection request"
accepted acs cpe1

heading "Another user sends one"
refused other cpe1

heading "What xmppd says of itself: to a person, on ubus, and as TR-181's parameters"
xmppd status
shown='ubus call xmppd status' run python3 -sB integration/harness/ubus/ubus.py -s "$dir/ubus.sock" call xmppd status
xmppd tr181 Device.XMPP.Connection.1.Stats.

heading "The file is edited while xmppd runs: a second connection is added"
connections=(cpe1 cpe2); enabled=(1 1)
commit
wait_for 20 "the second login" online "cpe2@$host/wan"
second=$(session "cpe2@$host/wan")
note "the server sees cpe2@$host/wan, from port ${second% *}"
accepted acs cpe2
unaffected "cpe1@$host/wan" "$first"

heading "The ACS asks all CPEs at once; cpe3 is offline"
ask_expecting 1 acs cpe1 cpe2 cpe3

heading "allowed_jid is changed: acs2 instead of acs"
allowed="acs2@$host"
commit
old_acs_is_refused() { local status=0; ask acs cpe1 || status=$?; [ "$status" -le 1 ] || fail "no answer"; [ "$status" -eq 1 ]; }
wait_for 10 "the refusal of acs" old_acs_is_refused
refused acs cpe1
accepted acs2 cpe1
unaffected "cpe1@$host/wan" "$first"
unaffected "cpe2@$host/wan" "$second"

heading "The file is edited with mistakes in the second connection, and corrected"
before=$(config_text)
write_config "$(sed "/con_inst '2'/,\$ s/option resource 'wan'/option resuorce 'lan'\n\toption interval 'often'/" <<< "$before")"
failing=1 xmppd check "$dir/config/xmpp"
xmppd reload
unaffected "cpe1@$host/wan" "$first"
unaffected "cpe2@$host/wan" "$second"
note "the file is corrected"
write_config "$before"
xmppd reload
xmppd check "$dir/config/xmpp"
unaffected "cpe1@$host/wan" "$first"
unaffected "cpe2@$host/wan" "$second"

heading "The first connection is disabled"
enabled=(0 1)
commit
wait_for 10 "the end of cpe1's session" offline "cpe1@$host/wan"
[ "$(ended "cpe1@$host/wan")" = closed-by-client ] || fail "cpe1's stream was not closed: $(ended "cpe1@$host/wan")"
note "the server saw the end of cpe1's stream: $(ended "cpe1@$host/wan")"
refused acs2 cpe1
accepted acs2 cpe2
unaffected "cpe2@$host/wan" "$second"

heading "xmppd is stopped"
kill -TERM "$daemon"
status=0
wait "$daemon" || status=$?
daemon=
wait "$printer" || true
printer=
[ "$status" -eq 0 ] || fail "xmppd exited with $status"
wait_for 5 "the end of cpe2's session" offline "cpe2@$host/wan"
[ "$(ended "cpe2@$host/wan")" = closed-by-client ] || fail "cpe2's stream was not closed: $(ended "cpe2@$host/wan")"
note "exit status 0, and the server saw the end of cpe2's stream: $(ended "cpe2@$host/wan")"

heading "All steps succeeded"
