#!/usr/bin/python3
"""Delays what a router forwards, and changes its order: a forwarder in user space, where the kernel has no `tc netem`.

usage: delay MILLISECONDS NTH FILE

Packets go through the interface `delay` of this program before they are translated (to servers), or after (to CPEs). Each of
them is held for MILLISECONDS, every NTH a third longer. FILE has the number of packets that were overtaken."""

import fcntl
import heapq
import os
import select
import struct
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 1, 0x1000

# The side of a packet's way on which it is not translated is not tracked either.
RULES = """
add chain inet router untracked { type filter hook prerouting priority raw; }
add rule inet router untracked iifname @lans notrack
%s
insert rule inet router forward iifname "delay" accept
"""


def run(command):
    if os.system(command):
        sys.exit(f"failed: {command}")


def main():
    delay, nth, path = float(sys.argv[1]) / 1000, int(sys.argv[2]), sys.argv[3]
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22s", b"delay", IFF_TUN | IFF_NO_PI, b""))
    rules = RULES % "\n".join(
        f'add rule inet router untracked iifname "delay" {"ip6" if ":" in lan else "ip"} daddr {lan} notrack'
        for lan in os.environ["GATEWAYS"].split())
    run(f"nft -f - <<'END'\n{rules}\nEND")
    run("ip link set delay up")
    for version in "46":
        run(f"ip -{version} route add default dev delay table 100")
        for interface in os.listdir("/sys/class/net"):
            if interface.startswith("eth"):
                run(f"ip -{version} rule add iif {interface} lookup 100 pref 100")

    held, number, newest, overtaken = [], 0, 0, 0
    write(path, overtaken)
    while True:
        wait = max(0, held[0][0] - time.monotonic()) if held else None
        if select.select([device], [], [], wait)[0]:
            number += 1
            longer = delay / 3 if number % nth == 0 else 0
            heapq.heappush(held, (time.monotonic() + delay + longer, number, os.read(device, 65536)))
        while held and held[0][0] <= time.monotonic():
            _, packet_number, packet = heapq.heappop(held)
            if packet_number < newest:
                overtaken += 1
                write(path, overtaken)
            newest = max(newest, packet_number)
            os.write(device, packet)


def write(path, count):
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(f"{count}\n")
    os.rename(path + ".new", path)


main()
