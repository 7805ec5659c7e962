"""By hand: cables between network namespaces that delay every packet, for kernels without netem.

    sudo python tests/by_hand/wire.py MS GBIT NAME=ADDRESS ...

Each host has a tun device NAME. A packet takes its size over the rate on the sender's line, as much on the receiver's,
which begins to receive as soon as the sender begins to send, and MS milliseconds on its way. Lines are full duplex, and
keep what waits. This process should have a core when it needs one: it asks for real-time priority.
"""

import argparse
import fcntl
import heapq
import os
import select
import socket
import struct
import time
from itertools import count

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
PACKET = 1 << 16  # bytes that a packet may have
TURN = 16  # packets that are read from one host before others have their turn


def tun(name: str) -> int:
    """A file whose packets are those of a new network device."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def forward(latency: float, bandwidth: float, hosts: dict[str, str]) -> None:
    """Carry packets between the hosts, device → address, for ever; seconds, and bytes a second."""
    devices = {tun(name): socket.inet_aton(address) for name, address in hosts.items()}
    at = {address: device for device, address in devices.items()}
    sends, receives = dict.fromkeys(devices, 0.0), dict.fromkeys(devices, 0.0)  # when each line is free again
    order, due = count(), []
    print("ready", flush=True)
    while True:
        wait = max(0.0, due[0][0] - time.monotonic()) if due else None
        for sender in select.select(list(devices), [], [], wait)[0]:
            for _ in range(TURN):
                try:
                    packet = os.read(sender, PACKET)
                except BlockingIOError:
                    break
                receiver = at.get(packet[16:20])
                if receiver is None:  # not IPv4, or for nobody here
                    continue
                begin = max(time.monotonic(), sends[sender])
                sends[sender] = begin + len(packet) / bandwidth
                receives[receiver] = max(begin, receives[receiver]) + len(packet) / bandwidth
                heapq.heappush(due, (receives[receiver] + latency, next(order), receiver, packet))
        while due and due[0][0] <= time.monotonic():
            _, _, receiver, packet = heapq.heappop(due)
            os.write(receiver, packet)


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("ms", "gbit"):
        asked.add_argument(name, type=float, metavar=name.upper())
    asked.add_argument("hosts", nargs="+", metavar="NAME=ADDRESS")
    options = asked.parse_args()
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    forward(options.ms / 1e3, options.gbit * 1e9 / 8, dict(host.split("=") for host in options.hosts))
