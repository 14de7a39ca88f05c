#!/bin/bash
# Looks for leaks: after a lot of work, xmppd's memory, descriptors, threads and children must be level.
#
#   soak.sh SECONDS       random actions; SOAK_SEED=N repeats those of a run
#   soak.sh cycles N      restarts connections N times
#   soak.sh requests N    sends N connection requests
#
# XMPPD_TEST_PROGRAM=FILE measures that xmppd, such as a release build, instead of the one of the tests.
set -euo pipefail
if [ -n "${XMPPD_TEST_PROGRAM:-}" ]; then
	XMPPD_TEST_PROGRAM=$(realpath -e "$XMPPD_TEST_PROGRAM")
	export XMPPD_TEST_PROGRAM
fi
cd "$(dirname "$0")/.."

usage() { sed -n 's/^#   //p' "$0" >&2; exit 2; }
number() { [[ ${1:-} =~ ^[1-9][0-9]*$ ]] || usage; }

case ${1:-} in
cycles)
	number "${2:-}"
	export SOAK_CYCLES=$2
	test=cycles::restarted_connections_do_not_leak
	;;
requests)
	number "${2:-}"
	export SOAK_REQUESTS=$2
	test=requests::requests_do_not_leak
	;;
*)
	number "${1:-}"
	export SOAK_SECONDS=$1
	test=mix::random_actions_do_not_leak
	;;
esac

run() {
	"${CARGO:-cargo}" test --quiet --locked --package xmppd-integration --test integration -- \
		--include-ignored --exact "$@" "soak::$test"
}

# A name that no test has would select none, and pass.
run --list | grep -q ': test$' || { echo "soak: there is no test soak::$test" >&2; exit 1; }
run --nocapture
