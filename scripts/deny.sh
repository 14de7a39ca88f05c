#!/bin/bash
# Holds the dependencies to deny.toml: licences, sources, what is in the binary twice, and known vulnerabilities as far as
# RustSec's database is on this machine (`cargo deny fetch` brings it). Builds cargo-deny where it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.18.9
tools=${CARGO_TARGET_DIR:-target}/tools
PATH=$PATH:$(realpath -m "$tools")/bin
if ! command -v cargo-deny > /dev/null; then
	echo "deny: building cargo-deny $version into $tools"
	# Without optimizations: it is built more often than it is used.
	cargo install --quiet --locked --debug --version "$version" --root "$tools" cargo-deny
fi

cargo deny --offline --locked --all-features check licenses sources
# Of the shipped program alone: what the tests and connreq have twice takes no flash memory.
cargo deny --offline --locked --exclude-dev check bans
if compgen -G "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs/advisory-db-*/.git" > /dev/null; then
	cargo deny --offline --locked --all-features check advisories
else
	echo 'deny: advisories not checked: their database is not here; `cargo deny fetch` brings it'
fi
