#!/bin/bash
# Checks the dependencies against deny.toml: licences, sources, duplicates in the binary and, if RustSec's database is
# installed (`cargo deny fetch`), known vulnerabilities. The last line says what was checked. Builds cargo-deny if it is
# missing.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=scripts/cargo-tool.sh
. scripts/cargo-tool.sh
cargo_tool cargo-deny 0.18.9

# Dependencies for other platforms too, which a build does not download.
cargo fetch --quiet --locked
cargo deny --offline --locked --workspace --all-features check licenses sources
# Only for the shipped program: duplicates in the tests and in connreq take no flash memory.
cargo deny --offline --locked --exclude-dev check bans
if compgen -G "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs/advisory-db-*/.git" > /dev/null; then
	cargo deny --offline --locked --workspace --all-features check advisories
	echo 'deny: licences, sources, duplicates and advisories passed'
else
	# shellcheck disable=SC2016
	echo 'deny: licences, sources and duplicates passed; advisories NOT CHECKED: no database, run `cargo deny fetch`'
fi
