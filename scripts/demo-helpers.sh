# shellcheck shell=bash
# For the demos: what they print, and how they wait. To be sourced.

heading() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
note() { printf '   %s\n' "$*"; }
fail() { printf '\nFAILED: %s\n' "$*" >&2; exit 1; }

# wait_for SECONDS WHAT COMMAND...: until the command succeeds, which is tried every ${pause:-0.1} s
wait_for() {
	local limit=$1 what=$2 deadline
	shift 2
	deadline=$((SECONDS + limit))
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || fail "not within $limit s: $what"
		sleep "${pause:-0.1}"
	done
}

# present_session JID: "PORT SESSION" of a full JID while it is online, from the server's view (mod_sessions_view) on stdin
present_session() {
	awk -F'\t' -v jid="$1" '$2 == "started" { now = "" }
		$3 == jid && ($2 == "bind" || $2 == "resume") { now = $4 " " $5 }
		$3 == jid && $2 == "unbind" { now = "" }
		END { print now }'
}
