# shellcheck shell=bash
# For the scripts that use Docker: whether an engine can be used, and how images are built. To be sourced.
#
# All images, containers and networks of the harness have names that begin with `xmppd-harness`, and the label
# `xmppd.harness`, whose value says what they are.
# shellcheck disable=SC2034 # used by those that source this
harness=xmppd-harness
label=xmppd.harness
# The exit status of scripts if Docker, or the network that it needs, cannot be used.
unusable=75

# engine_problem: why Docker cannot be used, in one line; nothing if it can be
engine_problem() {
	local output status=0
	if ! command -v docker > /dev/null; then
		echo 'docker is not installed'
		return
	fi
	output=$(timeout -k 5 20 docker version --format '{{.Server.Version}}' 2>&1 < /dev/null) || status=$?
	case $status in
		0) ;;
		124 | 137) echo 'the Docker engine does not answer within 20 s' ;;
		*) printf '%s\n' "no Docker engine can be used: $(tail -n 1 <<< "$output")" ;;
	esac
}

# quietly LOG COMMAND...: its output is printed only if it fails
quietly() {
	local log=$1
	shift
	"$@" > "$log" 2>&1 || { local status=$?; cat "$log" >&2; return "$status"; }
}

# build_image SECONDS ARGUMENTS...: docker build, on the host's network, with its proxies
build_image() {
	local limit=$1 name proxies=()
	shift
	for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
		[ -z "${!name:-}" ] || proxies+=(--build-arg "$name")
	done
	timeout --foreground -k 10 "$limit" docker build --network host "${proxies[@]}" "$@"
}

# started PID: when the process started, in clock ticks since boot, or nothing if there is none
started() { sed 's/.*) //' "/proc/$1/stat" 2> /dev/null | cut -d ' ' -f 20; }

# owner: this process, as the value of the label `xmppd.harness.owner` of what it starts
owner() { echo "$$:$(started $$)"; }

# remove_abandoned KIND: removes the containers of this kind whose owner was killed
remove_abandoned() {
	local id owner
	timeout -k 5 60 docker container ls --all --filter "label=$label=$1" --format "{{.ID}} {{.Label \"$label.owner\"}}" |
		while read -r id owner; do
			[ "$(started "${owner%%:*}")" = "${owner#*:}" ] ||
				timeout -k 5 60 docker container rm --force --volumes "$id" > /dev/null
		done
}
