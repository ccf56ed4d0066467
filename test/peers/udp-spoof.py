"""Sends one UDP datagram with any source address and port, through a raw socket (root).

Usage: udp-spoof.py SOURCE SOURCE_PORT DESTINATION PORT TEXT
"""

import socket
import struct
import sys


def checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def main() -> None:
    source, source_port, destination, port, text = sys.argv[1:]
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    sender = socket.inet_pton(family, source)
    receiver = socket.inet_pton(family, destination)
    payload = text.encode()
    length = 8 + len(payload)
    header = struct.pack("!HHHH", int(source_port), int(port), length, 0)
    if family == socket.AF_INET:
        pseudo = sender + receiver + struct.pack("!BBH", 0, socket.IPPROTO_UDP, length)
    else:
        pseudo = sender + receiver + struct.pack("!IxxxB", length, socket.IPPROTO_UDP)
    # RFC 768: a sum of zero is sent as all ones, since zero means none was made.
    total = checksum(pseudo + header + payload) or 0xFFFF
    datagram = header[:6] + struct.pack("!H", total) + payload
    raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    if family == socket.AF_INET:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        # The kernel fills in length, identification and checksum of the IP header.
        packet = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0) + sender + receiver + datagram
    else:
        packet = struct.pack("!IHBB", 6 << 28, length, socket.IPPROTO_UDP, 64) + sender + receiver + datagram
    raw.sendto(packet, (destination, 0))


main()
