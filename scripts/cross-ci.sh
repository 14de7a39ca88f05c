#!/bin/bash
# The part of the CI run for other processors, as far as it fits into the time: scripts/cross-ci.sh MINUTES
#
# It tests on MIPS, which differs most from this machine: big endian, 32 bits. The lines that begin with `cross: ` say what
# passed, what failed, and what was not run and why. What was compiled stays in the user's cache directory: where one run has no
# time left for the tests, the next one has.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/ci-steps.sh
. scripts/ci-steps.sh

part_of_ci cross "$1"
export CROSS_TARGET_DIR=${XDG_CACHE_HOME:-$HOME/.cache}/xmppd-ci/cross
# Each run adds what belongs to its own directory, some 200 MB.
if [ -e "$CROSS_TARGET_DIR" ] && [ "$(du --summarize --block-size=1G "$CROSS_TARGET_DIR" | cut -f 1)" -gt 6 ]; then
	rm -rf "$CROSS_TARGET_DIR"
fi

step 'the program and its tests for mips' 3 scripts/test-cross.sh mips build
if [ "$passed" = yes ]; then
	# Ten minutes are only for what hangs.
	step 'the tests on mips' 5 timeout -k 60 600 scripts/test-cross.sh mips unit smoke:: login::mechanisms openwrt::seccomp
fi
exit "$status"
