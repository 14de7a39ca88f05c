# shellcheck shell=bash disable=SC2034
# For scripts that build for other processors: targets, and the tools for them. To be sourced in the project's directory.
#
# All targets are built alike: zig is the C compiler and linker, and has musl; the standard library is built from its source,
# since there is no compiled one for MIPS. Rust is the installed one if it has this source (component rust-src), and
# Debian's rustc-web otherwise.

# Where the programs and tools are built; CROSS_TARGET_DIR names another directory for them alone.
out=${CROSS_TARGET_DIR:-${CARGO_TARGET_DIR:-target}}
tools=$(realpath -m "$out")/cross-tools

# architecture:target:emulator
targets=(
	x86_64:x86_64-unknown-linux-musl:qemu-x86_64-static
	aarch64:aarch64-unknown-linux-musl:qemu-aarch64-static
	armv7:armv7-unknown-linux-musleabihf:qemu-arm-static
	mips:mips-unknown-linux-musl:qemu-mips-static
)

# Sets triple and emulator for an architecture, or for a target.
choose_target() {
	local entry name known=()
	for entry in "${targets[@]}"; do
		IFS=: read -r name triple emulator <<< "$entry"
		[ "$1" != "$name" ] && [ "$1" != "$triple" ] || return 0
		known+=("$name")
	done
	echo "unknown TARGET '$1', expected one of: ${known[*]}" >&2
	return 2
}

# Whether Debian's Rust is as new as Cargo.toml requires.
debian_rust_is_new() {
	local required installed
	required=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
	read -r _ installed _ < <(/usr/bin/rustc --version)
	printf '%s\n' "$required" "$installed" | sort --check=quiet --version-sort
}

# Installs Debian's Rust, which is newer in the updates than in the release.
install_debian_rust() {
	scripts/install-deps.sh /usr/bin/rustc:rustc-web /usr/bin/cargo:cargo-web /usr/lib/rustlib/src/rust:rust-web-src
	debian_rust_is_new || scripts/install-deps.sh --newest rustc-web cargo-web rust-web-src
	if ! debian_rust_is_new; then
		echo "$(/usr/bin/rustc --version) is too old, see rust-version in Cargo.toml; add Debian's security updates to" \
			'/etc/apt/sources.list, or the source of your own Rust (rustup component add rust-src)' >&2
		return 1
	fi
}

# Installs the tools that are missing.
prepare_cross() {
	local sysroot
	sysroot=$(rustc --print sysroot 2> /dev/null) || true
	if [ -d "$sysroot/lib/rustlib/src/rust/library" ]; then
		rust_path=$PATH
	else
		install_debian_rust
		rust_path=/usr/bin:$PATH
	fi
	scripts/install-deps.sh cc:gcc file:file
	if [ ! -x "$tools/bin/cargo-zigbuild" ]; then
		/usr/bin/python3 -c 'import ensurepip' 2> /dev/null || scripts/install-deps.sh ensurepip:python3-venv
		rm -rf "$tools"
		/usr/bin/python3 -m venv "$tools"
		"$tools/bin/pip" --quiet --disable-pip-version-check install --requirement scripts/cross-tools.txt
	fi
}

# Builds a dlsym for MIPS, and prints its file. musl's own expects its address in a register ($t9), and functions at fixed addresses
# call each other without it: the standard library crashed when it looked for statx. A static program has nothing to find.
build_dlsym() {
	local object=$tools/dlsym.o
	echo 'void *dlsym(void *handle, const char *name) { (void)handle; (void)name; return 0; }' |
		"$tools/bin/python" -m ziglang cc -target mips-linux-musleabi -O2 -x c -c -o "$object" - &&
		echo "$object"
}

# zigbuild COMMAND OPTION...: runs cargo for the chosen target.
#
# zig brings the start files and the libc, and links statically without being told. Overflow is checked, as in OpenWrt's
# packages. Tests are optimized a little: in the emulator they are slow. RUSTC_BOOTSTRAP allows -Zbuild-std. The standard library
# is built for size and without backtraces, which a stripped program cannot print.
zigbuild() {
	local flags='-C link-self-contained=no -C target-feature=-crt-static'
	# In a static MIPS program that is relocated, a missing weak symbol has the load address instead of 0, and the standard
	# library calls it (__cxa_thread_atexit_impl). At a fixed address it is 0.
	[[ $triple != mips-* ]] || flags+=" -C relocation-model=static -C link-arg=$(build_dlsym)"
	# As .cargo/config.toml, which RUSTFLAGS replace.
	[[ $triple != x86_64-* ]] || flags+=' -C force-frame-pointers=yes'
	env -u RUSTC -u CARGO CARGO_TARGET_DIR="$out" PATH="$tools/bin:$rust_path" RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags" \
		CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_OPT_LEVEL=1 \
		cargo-zigbuild "$1" --locked -Zbuild-std=std,panic_unwind -Zbuild-std-features=panic-unwind,optimize_for_size \
		--target "$triple" "${@:2}"
}

# Builds the program as it is shipped, and sets program.
build_program() {
	zigbuild zigbuild --release --package xmppd --bin xmppd
	program=$out/$triple/release/xmppd
}
