#!/bin/bash
# Runs all tests, except those that need what this machine does not have: these are named, with the reason, and the last line
# counts them. A test says what it needs by the names of its modules:
#
#     ipv6::        ::1
#     namespaces::  namespaces for networks and mounts, which need root
#     fuse::        FUSE
#     systemd::     systemd-analyze, which rates units
#     man::         man, which formats man pages
#
# Arguments are passed to the tests, for example a filter. XMPPD_TESTS_WITHOUT="ipv6 fuse" acts as if these were not there.
set -euo pipefail
cd "$(dirname "$0")/.."

# ------------------------------------------------------------------------------------------------ what the machine can do

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# missing NEED: why it cannot be had, or nothing
missing() {
	local error
	if [[ " ${XMPPD_TESTS_WITHOUT:-} " == *" $1 "* ]]; then
		echo "$1, which XMPPD_TESTS_WITHOUT excludes"
		return
	fi
	case $1 in
		ipv6)
			error=$(python3 -c 'import socket; socket.socket(socket.AF_INET6, socket.SOCK_STREAM).bind(("::1", 0))' 2>&1) ||
				echo "IPv6 (::1: ${error##*] })"
			;;
		namespaces)
			if [ "$(id -u)" -ne 0 ]; then
				echo 'namespaces, for which it takes root'
			else
				error=$(unshare --net --mount sh -c "ip link set lo up && mount -t tmpfs none '$work'" 2>&1) ||
					echo "namespaces ($(tail -n 1 <<< "$error"))"
			fi
			;;
		fuse)
			error=$( (: <> /dev/fuse) 2>&1) || echo "FUSE (/dev/fuse: ${error##*: })"
			;;
		systemd)
			[[ "$(systemd-analyze --help 2>&1)" == *--offline* ]] || echo 'systemd-analyze of systemd 250 or newer'
			;;
		man)
			# Not the stand-in that images without documentation have.
			[[ "$(man --version 2>&1)" == 'man '[0-9]* ]] || echo 'man (man-db)'
			;;
	esac
}

needs=(fuse namespaces ipv6 systemd man)
declare -A reason
skip=()
for need in "${needs[@]}"; do
	reason[$need]=$(missing "$need")
	[ -z "${reason[$need]}" ] || skip+=(--skip "$need::")
done

# ------------------------------------------------------------------------------------------------ the tests

run() { ${CARGO:-cargo} test --locked --workspace "$@"; }

# With the same filter, what is listed beside what runs is what is skipped.
: > "$work/skipped"
if [ ${#skip[@]} -gt 0 ]; then
	run --quiet -- --list --format terse "$@" | sed -n 's/: test$//p' > "$work/all"
	run --quiet -- --list --format terse "$@" "${skip[@]}" | sed -n 's/: test$//p' > "$work/left"
	sort "$work/all" > "$work/all.sorted"
	sort "$work/left" | comm -23 "$work/all.sorted" - > "$work/skipped"
fi
status=0
run --no-fail-fast -- "$@" "${skip[@]}" 2>&1 | tee "$work/log" || status=$?

# ------------------------------------------------------------------------------------------------ what was skipped

declare -A count
while read -r test; do
	for need in "${needs[@]}"; do
		if [ -n "${reason[$need]}" ] && [[ "$test" == *"$need::"* ]]; then
			echo "skipped: $test needs ${reason[$need]}"
			count[$need]=$((${count[$need]:-0} + 1))
			break
		fi
	done
done < "$work/skipped"

declare -A name=([ipv6]=IPv6 [namespaces]=namespaces [fuse]=FUSE [systemd]=systemd [man]=man)
why=
for need in ipv6 namespaces fuse systemd man; do
	[ -z "${count[$need]:-}" ] || why+="${why:+, }${count[$need]} need ${name[$need]}"
done
awk -v skipped="$(wc -l < "$work/skipped")" -v why="${why:+ ($why)}" '
	/^test result:/ { passed += $4; failed += $6; ignored += $8 }
	END { printf "tests: %d passed, %d failed, %d ignored, %d skipped%s\n", passed, failed, ignored, skipped, why }
' "$work/log"
exit "$status"
