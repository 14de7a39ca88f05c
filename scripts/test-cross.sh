#!/bin/bash
# Tests xmppd on an emulated processor: scripts/test-cross.sh TARGET [build | [unit] [FILTER...]]
#
# The unit tests run in the emulator. The integration tests run on this machine, with the program of `make cross` in the
# emulator: logins, requests, reload, resumption, ubus, hostile stanzas, and the system calls that the jail on OpenWrt allows.
# With words after the target only the tests run that they name: `unit` stands for the unit tests, a FILTER for integration
# tests. `build` builds for the target, and runs nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/cross-tools.sh

choose_target "${1:-}"
shift

# An empty emulator: this processor runs the program.
[ "${triple%%-*}" != "$(uname -m)" ] || emulator=

# Tests that cannot run like this, and why.
not_run() {
	# There is no fault injection in a release build.
	cat <<- END
		requests::history::a_request_is_counted_if_its_stream_is_lost_before_the_answer crashes an actor
		requests::history::lockouts_and_limits_survive_a_crash crashes actors
		ubus::many::requests_one_after_the_other_leave_nothing_behind_and_start_no_process counts allocations
		ubus::object::a_call_during_a_crash_of_the_config_actor_is_answered crashes actors
	END
	[ -z "$emulator" ] || cat <<- END
		namespaces:: executes itself again, without the emulator
		hostile::stanzas::memory_does_not_grow measures memory, most of which is the emulator's
	END
}

skip=()
while read -r name reason; do
	echo "skipped: $name: $reason"
	skip+=(--skip "$name")
done < <(not_run)

prepare_cross
[ -z "$emulator" ] || scripts/install-deps.sh "$emulator:qemu-user-static"
scripts/install-deps.sh

unit_tests() { zigbuild test --package xmppd --lib --bins "$@"; }

if [ "${1:-}" = build ]; then
	unit_tests --no-run
	build_program
	exit
fi
[ $# -gt 0 ] || set -- unit smoke:: login:: requests:: reload:: resumption:: ubus:: hostile::stanzas:: openwrt::seccomp
if [ "$1" = unit ]; then
	shift
	variable=CARGO_TARGET_${triple//-/_}_RUNNER
	[ -z "$emulator" ] || declare -x "${variable^^}=$emulator"
	unit_tests -- "${skip[@]}"
	[ $# -gt 0 ] || exit 0
fi

build_program
XMPPD_TEST_PROGRAM=$(realpath "$program")
if [ -n "$emulator" ]; then
	# exec keeps the process id, which signals are sent to.
	cat > "$program.emulated" <<- END
		#!/bin/sh
		exec $emulator -0 xmppd '$XMPPD_TEST_PROGRAM' "\$@"
	END
	chmod +x "$program.emulated"
	XMPPD_TEST_PROGRAM+=.emulated
	export XMPPD_TEST_EMULATED=1
fi
export XMPPD_TEST_PROGRAM
"${CARGO:-cargo}" test --locked --workspace --test integration -- "$@" "${skip[@]}"
