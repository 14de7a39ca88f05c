#!/bin/bash
# The part of the CI run that uses Docker, as far as it fits into the time: scripts/docker-ci.sh MINUTES
#
# The lines that begin with `docker: ` say what passed, what failed, and what was not run and why. A Docker that does not work
# is a reason not to run something, not a failure. What stays is the cached images of the harness (docs/docker.md).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=integration/docker/engine.sh
. integration/docker/engine.sh

limit=$(($1 * 60))
status=0

problem=$(engine_problem)
if [ -n "$problem" ]; then
	echo "docker: NOT RUN: $problem"
	exit 0
fi

fits() { [ $((limit - SECONDS)) -ge $(($1 * 60)) ]; }

# step WHAT MINUTES COMMAND...: runs the command if it fits, and kills it where the time ends. What fails is run once more, if
# that fits: these are real networks on a machine that may be busy. Both are reported.
step() {
	local what=$1 minutes=$2 begin=$SECONDS result
	shift 2
	if ! fits "$minutes"; then
		echo "docker: $what NOT RUN: it takes up to $minutes min, $(((limit - SECONDS) / 60)) min are left"
		return
	fi
	for attempt in first second; do
		result=0
		timeout -k 60 $((limit - SECONDS)) "$@" || result=$?
		problem=$(engine_problem)
		if [ "$result" -eq 0 ]; then
			echo "docker: $what passed in $((SECONDS - begin)) s"
		elif [ "$result" -eq "$unusable" ] || [ -n "$problem" ]; then
			echo "docker: $what NOT RUN: ${problem:-Docker cannot be used for it (see above)}"
		elif [ "$result" -eq 124 ] || [ "$result" -eq 137 ]; then
			echo "docker: $what NOT FINISHED: no time is left"
		else
			echo "docker: $what FAILED the $attempt time (exit status $result) after $((SECONDS - begin)) s"
			[ "$attempt" = first ] && fits "$minutes" && continue
			status=1
		fi
		return
	done
}

# The first one builds the images for both.
step 'the demo on several hosts' 14 scripts/docker-demo.sh
step 'the scenarios on several hosts' 8 integration/docker/run.sh
# All tests ran on this machine already: in the container a selection will do if there is no time for all of them.
if fits 25; then
	step 'the tests in a container' 25 integration/docker/suite.sh
else
	step 'a selection of the tests in a container' 12 integration/docker/suite.sh smoke:: login:: dns:: config::watch
fi
exit "$status"
