#!/bin/bash
# Holds the dependencies to deny.toml: licences, sources, what is in the binary twice, and known vulnerabilities if
# RustSec's database is on this machine (`cargo deny fetch` brings it). The last line says what was checked. Builds
# cargo-deny where it is missing.
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

cargo deny --offline --locked --workspace --all-features check licenses sources
# Of the shipped program alone: what the tests and connreq have twice takes no flash memory.
cargo deny --offline --locked --exclude-dev check bans
if compgen -G "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs/advisory-db-*/.git" > /dev/null; then
	cargo deny --offline --locked --workspace --all-features check advisories
	echo 'deny: licences, sources, duplicates and advisories passed'
else
	echo 'deny: licences, sources and duplicates passed; advisories NOT CHECKED: no database here, `cargo deny fetch` brings it'
fi
