#!/usr/bin/env python3
"""A switch port in user space, for hosts whose kernel has no VLANs: `vlan-tagger.py TAP VLAN LOCAL REMOTE`.

Frames of the interface TAP (untagged: the server's side) go to the UDP port REMOTE of loopback with the tag of VLAN, as QEMU's
`-netdev dgram` has them; frames that come to the UDP port LOCAL with that tag go to TAP without it. All others are dropped, and
the first untagged one of each kind is reported: a machine that forgot its VLAN is seen.
"""

import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
TAGGED = 0x8100

name, vlan, local, remote = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
wire.bind(("127.0.0.1", local))
reported = set()
print(f"{name}: untagged; UDP {local}: VLAN {vlan}", flush=True)

while True:
    ready, _, _ = select.select([tap, wire], [], [])
    if tap in ready:
        frame = os.read(tap, 65536)
        wire.sendto(frame[:12] + struct.pack("!HH", TAGGED, vlan) + frame[12:], ("127.0.0.1", remote))
    if wire in ready:
        frame = wire.recv(65536)
        kind, tag = struct.unpack("!HH", frame[12:16].ljust(4, b"\0"))
        if kind == TAGGED and tag & 0x0FFF == vlan:
            os.write(tap, frame[:12] + frame[16:])
        elif kind not in reported:
            reported.add(kind)
            print(f"dropped: a frame of type {kind:#06x} without the tag of VLAN {vlan}", flush=True)
