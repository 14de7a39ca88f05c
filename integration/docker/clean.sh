#!/bin/bash
# Removes all that the Docker harness has made: containers, networks, volumes and images with its label.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=integration/docker/engine.sh
. "$here/engine.sh"

problem=$(engine_problem)
[ -z "$problem" ] || { echo "clean: $problem" >&2; exit "$unusable"; }

# each COMMAND...: runs it with each line of the input as its last argument
each() {
	local line
	while read -r line; do
		timeout -k 5 120 "$@" "$line" > /dev/null || true
	done
}
docker container ls --all --quiet --filter "label=$label" | each docker container rm --force --volumes
docker network ls --quiet --filter "label=$label" | each docker network rm
docker volume ls --quiet --filter "label=$label" | each docker volume rm
# By name where there is one, and images that others are made from last.
docker image ls --filter "label=$label" --format '{{if eq .Tag "<none>"}}{{.ID}}{{else}}{{.Repository}}:{{.Tag}}{{end}}' |
	each docker image rm
docker image prune --force --filter "label=$label" > /dev/null
