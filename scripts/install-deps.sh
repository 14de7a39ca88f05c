#!/bin/bash
# Installs the missing packages that the demo and the tests need besides Rust, make and gcc, on Debian and its derivatives,
# without starting services. Prints nothing if all are installed.
#
#   install-deps.sh          for the demo and the tests
#   install-deps.sh bench    for the benchmark as well
#   install-deps.sh COMMAND:PACKAGE...    these alone, Rust not included
#   install-deps.sh --newest PACKAGE...   these alone, also if older ones are installed
set -euo pipefail

die() { echo "install-deps: $*" >&2; exit 1; }

# command:package, or file:package
packages=() needed=()
if [ "${1:-}" = --newest ]; then
	packages=("${@:2}")
elif [[ ${1:-} == *:* ]]; then
	needed=("$@")
else
	if ! command -v cargo > /dev/null; then
		[ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ] &&
			die "cargo is installed but not in PATH; run: . \"${CARGO_HOME:-$HOME/.cargo}/env\""
		die "cargo is missing; install Rust from https://rustup.rs"
	fi
	command -v cc > /dev/null || die "a C compiler is missing; install gcc"
	needed=(
		prosody:prosody erl:erlang-base ejabberdctl:ejabberd dnsmasq:dnsmasq-base
		openssl:openssl ip:iproute2 setpriv:util-linux faketime:faketime strace:strace bindfs:bindfs python3:python3
		busybox:busybox-static make:make shellcheck:shellcheck
	)
fi
if [ "${1:-}" = bench ]; then
	needed+=(/usr/include/strophe.h:libstrophe-dev mksquashfs:squashfs-tools strip:binutils)
fi
for pair in "${needed[@]}"; do
	[ -e "${pair%%:*}" ] || command -v "${pair%%:*}" > /dev/null || packages+=("${pair##*:}")
done
[ ${#packages[@]} -eq 0 ] && exit 0

command -v apt-get > /dev/null || die "missing: ${packages[*]}; install them (there is no apt-get on this system)"
root=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo > /dev/null || die "missing: ${packages[*]}; run this as root, or install sudo"
	root=(sudo)
fi
as_root() { "${root[@]}" "$@"; }

# Debian starts services upon installation unless this file forbids it. It is restored afterwards.
guard=/usr/sbin/policy-rc.d
saved=$guard.before-xmppd
restore() {
	as_root rm -f "$guard"
	if [ -e "$saved" ]; then as_root mv "$saved" "$guard"; fi
}
trap restore EXIT
# An existing saved file is the original, left by a run that could not restore it.
if [ -e "$guard" ] && [ ! -e "$saved" ]; then as_root mv "$guard" "$saved"; fi
printf '#!/bin/sh\nexit 101\n' | as_root tee "$guard" > /dev/null
as_root chmod 755 "$guard"

install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" > "$log" 2>&1
}
log=$(mktemp)
echo "install-deps: installing ${packages[*]}" >&2
# The package lists of a new machine may be empty, or older than what its updates bring. Without a network there may be a cache.
as_root apt-get update -qq >&2 || true
install || { cat "$log" >&2; rm -f "$log"; die "apt-get could not install ${packages[*]}"; }
rm -f "$log"
