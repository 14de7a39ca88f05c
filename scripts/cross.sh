#!/bin/bash
# Builds xmppd for a processor of CPEs, statically linked with musl: scripts/cross.sh TARGET
#
# TARGET is an architecture or a target of cross-tools.sh. Prints what the program is, and its size.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/cross-tools.sh

choose_target "${1:-}"
prepare_cross
build_program
description=$(file --brief "$program")
echo "cross: $program: $(stat --format %s "$program") bytes, ${description%%, BuildID*}"
if [[ $description != *'statically linked'* && $description != *static-pie* ]]; then
	echo "cross: $program is not statically linked" >&2
	exit 1
fi
