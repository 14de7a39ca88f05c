#!/bin/bash
# Looks for leaks: xmppd works for long, and what it holds (memory, descriptors, threads, children) has to keep its level.
#
#   soak.sh SECONDS       everything that can happen, at random; SOAK_SEED=N repeats what was drawn
#   soak.sh cycles N      connections come and go, N times
#   soak.sh requests N    N connection requests
#
# SOAK_PROGRAM=FILE measures that xmppd, the one to install for example, in place of the one of the tests.
set -euo pipefail
if [ -n "${SOAK_PROGRAM:-}" ]; then
	SOAK_PROGRAM=$(realpath -e "$SOAK_PROGRAM")
	export SOAK_PROGRAM
fi
cd "$(dirname "$0")/.."

usage() { sed -n 's/^#   //p' "$0" >&2; exit 2; }
number() { [[ ${1:-} =~ ^[1-9][0-9]*$ ]] || usage; }

case ${1:-} in
cycles)
	number "${2:-}"
	export SOAK_CYCLES=$2
	test=cycles::connections_that_come_and_go_leave_nothing_behind
	;;
requests)
	number "${2:-}"
	export SOAK_REQUESTS=$2
	test=requests::requests_leave_nothing_behind
	;;
*)
	number "${1:-}"
	export SOAK_SECONDS=$1
	test=mix::everything_at_random_leaves_nothing_behind
	;;
esac
exec "${CARGO:-cargo}" test --quiet --locked --package xmppd-integration --test integration -- \
	--include-ignored --exact --nocapture "soak::$test"
