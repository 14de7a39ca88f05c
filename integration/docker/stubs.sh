#!/bin/sh
# Creates an empty source file for each crate of the workspace that has none, beside the manifests: with it cargo builds the
# dependencies before the sources are there, so that an image layer holds them.
set -eu
for library in src/lib.rs connreq/src/lib.rs fuzz/targets/src/lib.rs; do
	mkdir -p "${library%/*}"
	[ -e "$library" ] || echo '//! Empty.' > "$library"
done
for program in src/main.rs connreq/src/main.rs examples/fleet/main.rs integration/main.rs integration/fuzz_seeds.rs \
	integration/uci_corpus.rs integration/docker/main.rs integration/bench.rs integration/bench/parts/parts.rs; do
	mkdir -p "${program%/*}"
	[ -e "$program" ] || printf '//! Empty.\nfn main() {}\n' > "$program"
done
