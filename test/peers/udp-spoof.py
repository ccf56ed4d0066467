"""Sends one UDP datagram with any source address and port, through a raw socket (root).

Usage: udp-spoof.py SOURCE SOURCE_PORT DESTINATION PORT TEXT [INTERFACE]

With an interface (IPv4 only) it goes out as an Ethernet broadcast frame: a raw IP socket puts an address of this host
in the place of the source 0.0.0.0.
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


def send_frame(interface: str, addresses: bytes, datagram: bytes) -> None:
    start = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(datagram), 0, 0, 64, socket.IPPROTO_UDP)
    header = start + struct.pack("!H", checksum(start + b"\0\0" + addresses)) + addresses
    frame = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
    frame.sendto(header + datagram, (interface, 0x0800, 0, 0, b"\xff" * 6))


def main() -> None:
    source, source_port, destination, port, text, *interface = sys.argv[1:]
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
    if interface:
        send_frame(interface[0], sender + receiver, datagram)
        return
    raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    if family == socket.AF_INET:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        # The kernel fills in length, identification and checksum of the IP header.
        packet = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0) + sender + receiver + datagram
    else:
        packet = struct.pack("!IHBB", 6 << 28, length, socket.IPPROTO_UDP, 64) + sender + receiver + datagram
    raw.sendto(packet, (destination, 0))


main()
