#!/bin/bash
# Builds the images of the demo and of the scenarios, as far as they are missing: xmppd-harness/HOST:TAG for prosody, dns,
# router, acs and cpe. Prints the tag, a hash of what they are made of.
#
# XMPPD_HARNESS_PROGRAMS is the image with the programs; without it, programs.sh builds it from this tree.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
# shellcheck source=integration/docker/engine.sh
. "$here/engine.sh"
hosts=(prosody dns router acs cpe)
say() { echo "hosts: $*" >&2; }

problem=$(engine_problem)
[ -z "$problem" ] || { say "$problem"; exit "$unusable"; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT

programs=${XMPPD_HARNESS_PROGRAMS:-$("$here/programs.sh")}
debian=$("$here/base.sh" debian:bookworm-slim)

tag=$({
	docker image inspect --format '{{.Id}}' "$programs" "$debian"
	cd "$root/integration"
	sha256sum docker/Dockerfile docker/hosts/* harness/ubus/*.py harness/prosody/*.lua
} | sha256sum | cut -c 1-12)

for host in "${hosts[@]}"; do
	name=$harness/$host:$tag
	[ -z "$(docker image ls --quiet "$name")" ] || continue
	say "building $name"
	quietly "$log" build_image 600 --build-arg "PROGRAMS=$programs" --build-arg "DEBIAN=$debian" --label "$label=host" \
		--target "$host" --tag "$name" --file "$here/Dockerfile" "$root/integration"
done
echo "$tag"
