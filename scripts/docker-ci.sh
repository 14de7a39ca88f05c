#!/bin/bash
# The part of the CI run that uses Docker, as far as it fits into the time: scripts/docker-ci.sh MINUTES
#
# The lines that begin with `docker: ` say what passed, what failed, and what was not run and why. A Docker that does not work
# is a reason not to run something, not a failure. What stays is the cached images of the harness (docs/docker.md).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=integration/docker/engine.sh
. integration/docker/engine.sh
# shellcheck source=scripts/ci-steps.sh
. scripts/ci-steps.sh

part_of_ci docker "$1"
problem=$(engine_problem)
if [ -n "$problem" ]; then
	echo "docker: NOT RUN: $problem"
	exit 0
fi

cannot_run() {
	local problem
	problem=$(engine_problem)
	if [ "$1" -eq "$unusable" ] || [ -n "$problem" ]; then
		echo "${problem:-Docker cannot be used for it (see above)}"
	fi
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
