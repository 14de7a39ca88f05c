#!/bin/bash
# Provides a base image of the Docker harness, and prints its name: the public image if it is here, or if it can be pulled;
# otherwise one that is made from Debian's packages and the Rust toolchain of this machine.
#
#     integration/docker/base.sh [rust:1-bookworm | debian:bookworm-slim]
#
# A made image is named by what it was made of, so that it is made once: xmppd-harness/rust:HASH, xmppd-harness/debian:HASH.
# Making one needs root, debootstrap, and a toolchain of rustup. What is special to this machine (its mirror of Debian, its
# settings of apt, the certificates of its CAs) is copied from it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=integration/docker/engine.sh
. "$here/engine.sh"

suite=bookworm
say() { echo "base: $*" >&2; }
die() { say "$*"; exit "$unusable"; }
present() { timeout -k 5 60 docker image inspect "$1" > /dev/null 2>&1; }

image=${1:-rust:1-bookworm}
problem=$(engine_problem)
[ -z "$problem" ] || die "$problem"
if present "$image"; then
	say "using $image, which is here"
	echo "$image"
	exit 0
fi
kind=${image%%:*}
[ "$kind" = rust ] || [ "$kind" = debian ] || kind=

# ------------------------------------------------------------------------------------------------ what it is made of

# The suites of Debian that this machine's apt uses, as "URI SUITE COMPONENT" each.
sources() {
	command -v apt-get > /dev/null || return 0
	# shellcheck disable=SC2016 # apt expands it
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2> /dev/null |
		awk -v suite="$suite" '$3 == "main" && ($2 == suite || $2 == suite "-updates" || $2 == suite "-security")' | sort -u
}

# Its settings of apt that decide whether the packages can be had.
apt_settings() {
	command -v apt-config > /dev/null || return 0
	apt-config dump | grep -E '^Acquire::(Check-|https?::|ForceIPv)' || true
}

own_cas() { find /usr/local/share/ca-certificates -name '*.crt' 2> /dev/null | sort; }

hash_of() {
	{
		declare -f make_debian
		sources
		apt_settings
		own_cas | while read -r file; do cat "$file"; done
		if [ "$1" = rust ]; then
			declare -f make_rust
			rustc -vV
		fi
	} | sha256sum | cut -c 1-12
}

# ------------------------------------------------------------------------------------------------ making one

prepare() {
	[ "$(id -u)" -eq 0 ] || die "$1 cannot be pulled; making it needs root"
	if ! command -v debootstrap > /dev/null; then
		command -v apt-get > /dev/null || die "$1 cannot be pulled; making it needs debootstrap"
		say 'installing debootstrap'
		apt-get install -y -qq debootstrap > "$work/log" 2>&1 ||
			{ apt-get update -qq && apt-get install -y -qq debootstrap; } > "$work/log" 2>&1 ||
			{ cat "$work/log" >&2; die 'apt-get could not install debootstrap'; }
	fi
}

# make_debian NAME: like debian:bookworm-slim, with CA certificates
make_debian() {
	local name=$1 root=$work/root mirror
	say "making $name with debootstrap"
	mirror=$(sources | awk -v suite="$suite" '$2 == suite { print $1; exit }')
	quietly "$work/log" debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" ${mirror:+"$mirror"} ||
		die 'debootstrap failed'
	sources | while read -r uri release component; do echo "deb $uri $release $component"; done > "$work/sources"
	[ ! -s "$work/sources" ] || cp "$work/sources" "$root/etc/apt/sources.list"
	apt_settings > "$root/etc/apt/apt.conf.d/90machine"
	printf '%s\n' 'Apt::Install-Recommends "false";' 'Acquire::Languages "none";' \
		'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };' \
		> "$root/etc/apt/apt.conf.d/80small"
	printf 'path-exclude /usr/share/%s/*\n' doc man info locale > "$root/etc/dpkg/dpkg.cfg.d/small"
	echo 'path-include /usr/share/doc/*/copyright' >> "$root/etc/dpkg/dpkg.cfg.d/small"
	# As in the public image: a package that is installed starts no service.
	printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	own_cas | while read -r file; do cp "$file" "$root/usr/local/share/ca-certificates/"; done
	# The directory for temporary files of this machine is not there.
	quietly "$work/log" env --unset=TMPDIR chroot "$root" update-ca-certificates || die 'update-ca-certificates failed'
	rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/*.log "$root"/var/log/apt/* \
		"$root"/usr/share/{man,info,locale}/* "$root/etc/resolv.conf" "$root/etc/hostname"
	find "$root/usr/share/doc" -type f ! -name copyright -delete
	tar -C "$root" --numeric-owner -c . | timeout -k 10 900 docker import \
		--change 'CMD ["bash"]' --change "LABEL $label=base" - "$name" > "$work/log" || die 'docker import failed'
	rm -rf "$root"
}

# make_rust NAME: like rust:1-bookworm, as far as the tests need it
make_rust() {
	local name=$1 debian sysroot toolchain
	sysroot=$(rustc --print sysroot)
	[ "$sysroot" != /usr ] || die "$image cannot be pulled; making it needs a toolchain of rustup, not of Debian's packages"
	toolchain=${sysroot##*/}
	debian=$harness/debian:$(hash_of debian)
	present "$debian" || make_debian "$debian"
	say "making $name from it and $toolchain"
	cat > "$work/Dockerfile" <<- END
		FROM $debian
		ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:\$PATH
		RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev make \\
			&& rm -rf /var/lib/apt/lists/*
		COPY rustup /usr/local/rustup
		# Writable, as in the public image. There is no rustup: the programs are the toolchain's own.
		RUN mkdir -p /usr/local/cargo/bin \\
			&& ln -s /usr/local/rustup/toolchains/$toolchain/bin/* /usr/local/cargo/bin/ \\
			&& chmod -R a+w /usr/local/cargo && cargo --version
	END
	{
		# Without documentation and sources, it is a third of the size.
		tar -C "$sysroot" --exclude=share --exclude=rustlib/src --mode=a+rwX --owner=0 --group=0 \
			--transform "s,^\\./,rustup/toolchains/$toolchain/," -cf "$work/context" .
		tar -C "$work" -rf "$work/context" Dockerfile
	}
	quietly "$work/log" build_image 1800 --label "$label=base" --tag "$name" - < "$work/context" || die 'docker build failed'
}

# ------------------------------------------------------------------------------------------------ which one

if [ -n "$kind" ]; then
	[ "$kind" = debian ] || command -v rustc > /dev/null || kind=
fi
if [ -n "$kind" ]; then
	made=$harness/$kind:$(hash_of "$kind")
	if present "$made"; then
		say "using $made, which was made here as $image"
		echo "$made"
		exit 0
	fi
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if timeout --foreground -k 10 1200 docker pull --quiet "$image" > "$work/log" 2>&1; then
	say "using $image, which was pulled"
	echo "$image"
	exit 0
fi
say "$image cannot be pulled: $(tail -n 1 "$work/log")"
[ -n "$kind" ] || die "it cannot be made here either: only debian:* can, and rust:* where Rust is installed"
# Two runs that start together make it once.
exec 9< "$here/base.sh"
flock 9
if ! present "$made"; then
	prepare "$image"
	"make_$kind" "$made"
	# Those that it replaces.
	timeout -k 5 60 docker image ls --filter "label=$label=base" --format '{{.Repository}}:{{.Tag}}' "$harness/$kind" |
		while read -r old; do [ "$old" = "$made" ] || timeout -k 5 60 docker image rm "$old" > /dev/null || true; done
fi
say "using $made, made as $image"
echo "$made"
