# shellcheck shell=bash
# Sourced by scripts that need a program which cargo installs.

# cargo_tool NAME VERSION [OPTION...]: puts it into PATH. If it is missing, it is built into target/tools, unoptimized, because
# building takes longer than running.
cargo_tool() {
	local name=$1 version=$2 tools=${CARGO_TARGET_DIR:-target}/tools
	shift 2
	PATH=$PATH:$(realpath -m "$tools")/bin
	if ! command -v "$name" > /dev/null; then
		echo "building $name $version into $tools" >&2
		cargo install --quiet --locked --debug --version "$version" --root "$tools" "$@" "$name"
	fi
}
