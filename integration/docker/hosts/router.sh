#!/bin/sh
# A home router with NAT. GATEWAYS are its addresses (with prefix lengths) on the networks behind it, of which it is the
# default gateway. Only connections from behind it are let through. `trouble` is the chain for what tests do to packets.
set -eu
lan() { ip -o route get "${1%/*}" | sed -n 's/.* dev \([^ ]*\).*/\1/p'; }
lans=
for gateway in ${GATEWAYS:?}; do
	interface=$(lan "$gateway")
	lans="$lans${lans:+, }\"$interface\""
	case $gateway in
		*:*) ip addr add "$gateway" dev "$interface" nodad ;;
		*) ip addr add "$gateway" dev "$interface" ;;
	esac
done
nft -f - <<END
table inet router {
	set lans { type ifname; elements = { $lans } }
	chain trouble { }
	chain forward {
		type filter hook forward priority filter; policy drop;
		jump trouble
		# What conntrack has forgotten vanishes without a word.
		ct state invalid counter drop
		ct state established,related accept
		iifname @lans oifname != @lans accept
	}
	chain input {
		type filter hook input priority filter; policy drop;
		iifname lo accept
		ct state established,related accept
		meta l4proto { icmp, icmpv6 } accept
	}
	chain postrouting {
		type nat hook postrouting priority srcnat;
		oifname != @lans masquerade
	}
}
END
echo ready
exec sleep infinity
