#!/bin/bash
# Builds the image of Dockerfile.programs from this tree, and prints its name.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
# shellcheck source=integration/docker/engine.sh
. "$here/engine.sh"

base=$("$here/base.sh" rust:1-bookworm)
image=$harness/programs
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "programs: building $image from $base" >&2
# The stage that compiles gets a name, so that the next build finds its layers and what is replaced can be told.
for target in build programs; do
	name=$image
	[ "$target" = programs ] || name+=-$target
	quietly "$log" build_image 2400 --build-arg "BASE=$base" --target "$target" --tag "$name" \
		--file integration/docker/Dockerfile.programs .
done
timeout -k 5 120 docker image prune --force --filter "label=$label=programs" > /dev/null || true
echo "$image"
