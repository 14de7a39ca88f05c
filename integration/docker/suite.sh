#!/bin/bash
# Runs the tests in a container without a network, as an ordinary user: builds the image of Dockerfile.test, of which a change
# of sources builds only the last layers again, and runs scripts/test.sh in it.
#
#     integration/docker/suite.sh [FILTER...]
#
# SUITE_LIMIT is the number of seconds that the tests may take, by default an hour.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
# shellcheck source=integration/docker/engine.sh
. "$here/engine.sh"

base=$("$here/base.sh" rust:1-bookworm)
image=$harness/suite
container=$harness-suite-$$
log=$(mktemp)
# shellcheck disable=SC2317 # called by the trap
finish() {
	timeout -k 5 60 docker container rm --force --volumes "$container" > /dev/null 2>&1 || true
	# The image that this one replaced.
	timeout -k 5 120 docker image prune --force --filter "label=$label=suite" > /dev/null 2>&1 || true
	rm -f "$log"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
remove_abandoned suite

echo "suite: building $image from $base" >&2
built=0
quietly "$log" build_image 3000 --build-arg "BASE=$base" --tag "$image" --file Dockerfile.test . || built=$?
[ "$built" -ne 124 ] || { echo 'suite: the image was not built within 3000 s' >&2; exit "$unusable"; }
[ "$built" -eq 0 ] || exit "$built"
status=0
# --init collects the children of servers that the tests kill.
timeout -k 20 "${SUITE_LIMIT:-3600}" docker run --rm --init --network none --env XMPPD_TESTS_AGAIN --name "$container" \
	--label "$label=suite" --label "$label.owner=$(owner)" "$image" scripts/test.sh "$@" < /dev/null &
# In the background, so that a signal is handled at once.
wait $! || status=$?
[ "$status" -ne 124 ] || echo "suite: not finished within ${SUITE_LIMIT:-3600} s" >&2
exit "$status"
