#!/bin/bash
# Measures xmppd beside a client in C (integration/bench.rs), and its parts (integration/bench/parts).
#
#   bench.sh ROUNDS    the program that is shipped, and the parts
#   bench.sh short     a few repetitions with the program of the tests: shows that the benchmark runs
#
# The results are stored in BENCH_OUT, by default target/bench.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() { sed -n 's/^#   //p' "$0" >&2; exit 2; }

if ! problem=$(scripts/install-deps.sh bench 2>&1); then
	[ "${1:-}" = short ] || { echo "$problem" >&2; exit 1; }
	echo "skipped: bench needs libstrophe-dev and squashfs-tools (${problem##*$'\n'})"
	exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O2 -Wall -Wextra -Werror -o "$work/cpe_client" integration/bench/cpe_client.c -lstrophe
export BENCH_CLIENT=$work/cpe_client

run() { "${CARGO:-cargo}" test --quiet --locked --package xmppd-integration --test bench "$@"; }

case ${1:-} in
short)
	BENCH_SHORT=1 run
	;;
[1-9] | [1-9][0-9])
	BENCH_ROUNDS=$1 run --profile bench
	"${CARGO:-cargo}" bench --locked --package xmppd-bench-parts
	;;
*)
	usage
	;;
esac
