# Stand-in of OpenWrt's /lib/functions/network.sh: the interfaces with a default route are the words of /tmp/gateways4 and
# /tmp/gateways6.
# shellcheck shell=ash

standin_gateway() {
	case " $(cat "/tmp/gateways$3" 2> /dev/null) " in
	*" $2 "*) eval "$1=192.0.2.1" ;;
	*) return 1 ;;
	esac
}

network_flush_cache() {
	:
}

network_get_gateway() {
	standin_gateway "$1" "$2" 4
}

network_get_gateway6() {
	standin_gateway "$1" "$2" 6
}
