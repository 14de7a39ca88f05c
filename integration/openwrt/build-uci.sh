#!/bin/bash
# Builds OpenWrt's uci, statically linked, from the sources in the crate libuci-sys: build-uci.sh FILE. cargo downloads the
# crate, which is not a dependency: its build script needs more than a C compiler. The program is for the tests alone.
set -euo pipefail
version=1.0.5
out=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
home=${CARGO_HOME:-$HOME/.cargo}
# The command downloads and unpacks the crate; a directory without a workspace keeps it from looking there.
# Three times: the tests of the package share one run of this script, and all of them fail with it.
for try in 1 2 3; do
	"${CARGO:-cargo}" info --quiet "libuci-sys@$version" > /dev/null && break
	[ "$try" -lt 3 ] || exit 1
	sleep "$((2 * try))"
done
sources=$(find "$home/registry/src" -mindepth 2 -maxdepth 2 -name "libuci-sys-$version" -print -quit)
[ -n "$sources" ] || { echo "build-uci: libuci-sys $version is not in $home/registry/src" >&2; exit 1; }
mkdir include
: > include/uci_config.h
ln -s "$sources/libubox" include/libubox
cc -Os -static -w -D_GNU_SOURCE -DUCI_PREFIX='"/usr"' -Iinclude -o uci \
	"$sources"/uci/{cli,libuci,file,util,delta,parse,blob}.c "$sources"/libubox/{blob,blobmsg,utils}.c
mkdir -p "$(dirname "$out")"
# Another run may build it at the same time.
cp uci "$out.$$"
mv "$out.$$" "$out"
