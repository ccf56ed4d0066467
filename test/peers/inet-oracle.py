"""Answers questions about addresses with Python's own socket and ipaddress modules.

One JSON array of [question, argument...] a line in, one JSON array of answers out; null where Python refuses.
"""

import ipaddress
import json
import socket
import struct
import sys


def pton(family, text):
    return socket.inet_pton(family, text).hex()


def facts(text):
    address = ipaddress.ip_address(text)
    return {
        "canonical": address.compressed,
        "exploded": address.exploded,
        "integer": str(int(address)),
        "reverse": address.reverse_pointer,
        "loopback": address.is_loopback,
        "multicast": address.is_multicast,
        "linkLocal": address.is_link_local,
        "unspecified": address.is_unspecified,
        "private": address.is_private,
        "global": address.is_global,
    }


def network(text):
    net = ipaddress.ip_network(text, strict=False)
    hosts = net.num_addresses
    ends = list(net.hosts()) if hosts <= 4 else [net[1], net[-2] if net.version == 4 else net[-1]]
    return {
        "network": str(net.network_address),
        "length": net.prefixlen,
        "netmask": str(net.netmask),
        "hostmask": str(net.hostmask),
        "last": str(net.broadcast_address),
        "count": str(hosts),
        "firstHost": str(ends[0]),
        "lastHost": str(ends[-1]),
    }


def longest(blocks, addresses):
    """Index of the longest of these prefixes that each address lies in, or null."""
    nets = [ipaddress.ip_network(block) for block in blocks]
    answers = []
    for text in addresses:
        address = ipaddress.ip_address(text)
        inside = [i for i, net in enumerate(nets) if net.version == address.version and address in net]
        answers.append(max(inside, key=lambda i: nets[i].prefixlen) if inside else None)
    return answers


QUESTIONS = {
    "pton4": lambda text: pton(socket.AF_INET, text),
    "pton6": lambda text: pton(socket.AF_INET6, text),
    "aton": lambda text: socket.inet_aton(text).hex(),
    "ntop": lambda packed: socket.inet_ntop(
        socket.AF_INET if len(packed) == 8 else socket.AF_INET6, bytes.fromhex(packed)
    ),
    "facts": facts,
    "network": network,
    "isStrictNetwork": lambda text: ipaddress.ip_network(text) and True,
    "longest": longest,
    "pack": lambda layout, value: struct.pack(layout, int(value)).hex(),
    "convert": lambda name, value: getattr(socket, name)(value),
    "serviceByName": socket.getservbyname,
    "serviceByPort": socket.getservbyport,
}


def answer(question, *arguments):
    try:
        return QUESTIONS[question](*arguments)
    except (OSError, ValueError, struct.error):
        return None


for line in sys.stdin:
    print(json.dumps([answer(*question) for question in json.loads(line)]), flush=True)
