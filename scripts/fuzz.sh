#!/bin/bash
# Runs a fuzz target: scripts/fuzz.sh TARGET [SECONDS [FLAG OF LIBFUZZER...]]
#
# Inputs and findings are stored below FUZZ_DIR (by default fuzz/work, which is not in the repository); the seeds in
# fuzz/seeds/ are only read. A stable compiler is enough: coverage, debug assertions and overflow checks, but no
# sanitizer, since xmppd has no unsafe code.
set -euo pipefail
cd "$(dirname "$0")/.."

targets=$(cd fuzz/fuzz_targets && printf '%s ' *.rs | sed 's/\.rs//g')
target=${1:-}
[[ -n $target && " $targets" == *" $target "* ]] || {
	echo "scripts/fuzz.sh: unknown target '$target', expected one of: $targets" >&2
	exit 2
}
seconds=${2:-1200}
shift $(($# < 2 ? $# : 2))
command -v cargo-fuzz > /dev/null || {
	echo 'scripts/fuzz.sh: cargo-fuzz is missing; run: cargo install cargo-fuzz' >&2
	exit 1
}

work=${FUZZ_DIR:-$PWD/fuzz/work}/$target
mkdir -p "$work/corpus" "$work/artifacts"
case $target in
uci_*) dictionary=uci ;;
*) dictionary=xmpp ;;
esac
exec cargo fuzz run --sanitizer none "$target" "$work/corpus" "fuzz/seeds/$target" -- \
	-dict="fuzz/dictionaries/$dictionary.dict" -max_total_time="$seconds" -max_len=65536 -timeout=10 \
	-rss_limit_mb=2048 -artifact_prefix="$work/artifacts/" "$@"
