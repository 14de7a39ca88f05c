# Stand-in of OpenWrt's /lib/functions/procd.sh. It fails where the real one ignores a mistake, and sends procd the same
# message; `data/openwrt` has messages of the real one to compare with.
# shellcheck shell=ash

standin_text() {
	case "$1" in
	*[\"\\]*) standin_fail "a value that would have to be escaped: $1" ;;
	esac
	printf '"%s"' "$1"
}

standin_array() {
	local item separator=
	printf '['
	for item; do
		printf '%s' "$separator"
		standin_text "$item"
		separator=,
	done
	printf ']'
}

# A member of the instance. A name that is already there would be lost.
standin_member() {
	case "$standin_instance" in
	*"\"$1\":"*) standin_fail "$1 is set twice" ;;
	esac
	standin_instance="$standin_instance${standin_instance:+,}\"$1\":$2"
}

standin_in_instance() {
	[ "$standin_state" = instance ] || standin_fail "$1 outside of an instance"
}

procd_open_service() {
	[ -z "$standin_state" ] || standin_fail 'a service in a service'
	standin_name=$1 standin_script=$2 standin_state=service standin_instances=
}

procd_close_service() {
	[ "$standin_state" = service ] || standin_fail 'procd_close_service outside of a service'
	standin_state=
	ubus call service set "{\"name\":\"$standin_name\",\"script\":\"$standin_script\",\"instances\":{$standin_instances},\"triggers\":[],\"data\":{}}"
}

procd_open_instance() {
	[ "$standin_state $#" = 'service 0' ] || standin_fail 'procd_open_instance'
	standin_state=instance standin_instance='' standin_jail='' standin_mounts=
}

procd_close_instance() {
	standin_in_instance procd_close_instance
	[ -z "$standin_jail" ] || standin_member jail "{$standin_jail,\"mount\":{$standin_mounts}}"
	standin_instances="$standin_instances${standin_instances:+,}\"instance1\":{$standin_instance}"
	standin_state=service
}

procd_set_param() {
	local name="$1"
	standin_in_instance "procd_set_param $name"
	shift
	[ $# -gt 0 ] || standin_fail "procd_set_param $name without a value"
	case "$name" in
	command | respawn)
		standin_member "$name" "$(standin_array "$@")"
		;;
	env)
		[ $# = 1 ] || standin_fail 'more than one variable'
		standin_member env "{$(standin_text "${1%%=*}"):$(standin_text "${1#*=}")}"
		;;
	capabilities | seccomp)
		[ -f "$*" ] || standin_fail "procd_set_param $name $*"
		standin_member "$name" "$(standin_text "$1")"
		;;
	stderr | no_new_privs)
		[ "$*" = 1 ] || standin_fail "procd_set_param $name $*"
		standin_member "$name" true
		;;
	*)
		standin_fail "procd_set_param $name"
		;;
	esac
}

procd_add_jail() {
	local flag
	standin_in_instance procd_add_jail
	[ -z "$standin_jail" ] || standin_fail 'a second jail'
	standin_jail="\"name\":$(standin_text "$1")"
	shift
	for flag; do
		case "$flag" in
		log | ubus | procfs) standin_jail="$standin_jail,\"$flag\":true" ;;
		*) standin_fail "procd_add_jail ... $flag" ;;
		esac
	done
}

standin_mount() {
	local mode="$1" path
	[ -n "$standin_jail" ] || standin_fail 'a mount without a jail'
	shift
	# The real ones split at blanks.
	# shellcheck disable=SC2048
	for path in $*; do
		standin_mounts="$standin_mounts${standin_mounts:+,}$(standin_text "$path"):\"$mode\""
	done
}

procd_add_jail_mount() {
	standin_mount 0 "$@"
}

procd_add_jail_mount_rw() {
	standin_mount 1 "$@"
}

procd_send_signal() {
	[ "$2 $3" = '* HUP' ] || standin_fail "procd_send_signal $*"
	ubus call service signal "{\"name\":\"$1\",\"signal\":1}"
}

# uci_load_validate PACKAGE TYPE SECTION FUNCTION OPTION:TYPE[:DEFAULT]...
uci_load_validate() {
	local package="$1" section="$3" function="$4" option name type value result=0
	shift 4
	uci -q show "$package" > /dev/null || result=1
	for option; do
		name=${option%%:*} type=${option#*:}
		value=$(uci -q get "$package.$section.$name")
		case "$type" in
		'or("ubus", "command"):ubus')
			value=${value:-ubus}
			case "$value" in
			ubus | command) ;;
			*) result=1 ;;
			esac
			;;
		string) ;;
		*) standin_fail "the type $type" ;;
		esac
		eval "local $name=\$value"
	done
	"$function" "$section" "$result"
}
