#!/bin/bash
# The part of the CI run for other processors, as far as it fits into the time: scripts/cross-ci.sh MINUTES
#
# It tests on MIPS, which differs most from this machine: big endian, 32 bits. The lines that begin with `cross: ` say what
# passed, what failed, and what was not run and why. What was compiled stays in the user's cache directory: where one run has no
# time left for the tests, the next one has.
set -euo pipefail
cd "$(dirname "$0")/.."

limit=$(($1 * 60))
cache=${XDG_CACHE_HOME:-$HOME/.cache}/xmppd-ci/cross
export CROSS_TARGET_DIR=$cache
# Each run adds what belongs to its own directory, some 200 MB.
if [ -e "$cache" ] && [ "$(du --summarize --block-size=1G "$cache" | cut -f 1)" -gt 6 ]; then
	rm -rf "$cache"
fi

# fits MINUTES
fits() { [ $((limit - SECONDS)) -ge $(($1 * 60)) ]; }
minutes_left() { echo "$(((limit - SECONDS) / 60)) min are left"; }

if ! fits 3; then
	echo "cross: NOT RUN: $(minutes_left)"
	exit
fi
result=0
timeout -k 60 $((limit - SECONDS)) scripts/test-cross.sh mips build || result=$?
case $result in
	0) echo "cross: mips built in $SECONDS s" ;;
	124 | 137)
		echo 'cross: mips NOT BUILT: no time is left; the next run goes on with it'
		exit
		;;
	*)
		echo "cross: mips FAILED to build (exit status $result)"
		exit 1
		;;
esac
# What fails is run once more: the emulator is slow, and the machine may be busy.
for attempt in first second; do
	begin=$SECONDS
	if ! fits 5; then
		[ "$attempt" = first ] || exit 1
		echo "cross: the tests on mips NOT RUN: they take up to 5 min, $(minutes_left)"
		exit
	fi
	# Ten minutes are only for what hangs.
	if timeout -k 60 600 scripts/test-cross.sh mips unit smoke:: login::mechanisms; then
		echo "cross: the tests on mips passed in $((SECONDS - begin)) s"
		exit
	fi
	echo "cross: the tests on mips FAILED the $attempt time, after $((SECONDS - begin)) s"
done
exit 1
