# Stand-in of OpenWrt's /lib/functions.sh: what the scripts of the package use, on the real uci.
# shellcheck shell=ash

standin_fail() {
	echo "stand-in: $*" >&2
	exit 70
}

config_load() {
	standin_package=$1
	uci -q show "$1" > /dev/null
}

# config_foreach FUNCTION TYPE
config_foreach() {
	local section
	[ $# = 2 ] || standin_fail "config_foreach $*"
	for section in $(uci -q -X show "$standin_package" | sed -n "s/^$standin_package\.\([A-Za-z0-9_]*\)=$2\$/\1/p"); do
		"$1" "$section"
	done
}

# config_get VARIABLE SECTION OPTION [DEFAULT]
config_get() {
	[ $# = 3 ] || [ $# = 4 ] || standin_fail "config_get $*"
	eval "$1=\$(uci -q get \"$standin_package.$2.$3\" || echo \"\${4:-}\")"
}
