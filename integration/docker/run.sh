#!/bin/bash
# Runs the scenarios on several hosts, with the arguments of Rust's test harness: the name of a scenario, `--list`. Builds what
# is missing. Removes its containers, networks and volumes afterwards, and before that those of a run that was killed; fails
# if any are left. Images are kept.
set -euo pipefail
cd "$(dirname "$0")/../.."
. integration/docker/engine.sh
. integration/docker/leftovers.sh

problem=$(engine_problem)
[ -z "$problem" ] || { echo "$problem" >&2; exit "$unusable"; }
XMPPD_HARNESS_TAG=$(integration/docker/hosts.sh)
export XMPPD_HARNESS_TAG
program=$(${CARGO:-cargo} test --locked --package xmppd-integration --test docker --no-run --message-format=json |
	sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
[ -n "$program" ] || { echo 'cargo names no program' >&2; exit 1; }

alone test
remove_leftovers test
tests=
# shellcheck disable=SC2317 # called by the trap
finish() {
	local status=$?
	trap - EXIT
	trap '' INT TERM
	if [ -n "$tests" ]; then
		kill -KILL "$tests" 2> /dev/null || true
		wait "$tests" 2> /dev/null || true
	fi
	leave_nothing test || status=1
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# They wait most of the time. They die with this script, since the next run removes what they use.
setpriv --pdeathsig KILL -- "$program" --test-threads "${THREADS:-6}" "$@" &
tests=$!
status=0
wait "$tests" || status=$?
tests=
exit "$status"
