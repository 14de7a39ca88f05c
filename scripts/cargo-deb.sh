#!/bin/bash
# Runs `cargo deb` with these arguments. Builds cargo-deb if it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=scripts/cargo-tool.sh
. scripts/cargo-tool.sh
# Without xz, for which there is the program.
cargo_tool cargo-deb 3.8.0 --no-default-features
command -v dpkg-shlibdeps > /dev/null || { echo 'deb: dpkg-shlibdeps is missing: install dpkg-dev' >&2; exit 1; }
exec cargo deb --quiet --locked --compress-system "$@"
