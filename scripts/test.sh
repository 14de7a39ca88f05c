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
# Arguments are passed to the tests, for example a filter. XMPPD_TESTS_WITHOUT="ipv6 fuse" acts as if these were not there. With
# XMPPD_TESTS_AGAIN=N, failed tests run once more if they are N at most; those that pass then are named and counted as well.
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
# First the programs that tests start. What does not compile is reported below.
if [ $# -eq 0 ]; then
	run --quiet --test integration -- --exact harness_tests::the_programs_under_test_are_built &> /dev/null || true
fi
status=0
run --no-fail-fast -- "$@" "${skip[@]}" 2>&1 | tee "$work/log" || status=$?

# ------------------------------------------------------------------------------------------------ once more what failed

# sum COLUMN [LOG]: of all results; 4 passed, 6 failed, 8 ignored
sum() { awk -v column="$1" '/^test result:/ { sum += $column } END { print sum + 0 }' "${2:-$work/log}"; }

passed=$(sum 4) failed=$(sum 6) when_run_again=
if [ "$failed" -gt 0 ] && [ "$failed" -le "${XMPPD_TESTS_AGAIN:-0}" ] &&
	# No program of tests ended without a result.
	grep -q "^error: $(grep -c '^test result: FAILED' "$work/log") targets\? failed" "$work/log"; then
	mapfile -t names < <(awk '
		/^failures:$/ { list = 1 }
		/^test result:/ { list = 0 }
		list && /^    [A-Za-z0-9_:]+$/ { print $1 }
	' "$work/log" | sort)
	if run --no-fail-fast -- --exact "${names[@]}" 2>&1 | tee "$work/again" &&
		[ "$(sum 4 "$work/again")" -eq "$failed" ]; then
		printf 'again: %s failed, and passed when it was run again\n' "${names[@]}"
		when_run_again=" ($failed when run again)"
		passed=$((passed + failed)) failed=0 status=0
	fi
fi

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
echo "tests: $passed passed$when_run_again, $failed failed, $(sum 8) ignored, $(wc -l < "$work/skipped") skipped${why:+ ($why)}"
exit "$status"
