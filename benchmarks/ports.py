"""Finds free ports of this machine."""

import random
import socket
from contextlib import ExitStack

HOST = "127.0.0.1"
FIRST, LAST = 20_000, 32_000
"""Below the ports that the system assigns to outgoing connections, which could take one meanwhile."""

PORTS_PER_CONTENDER = 10


def free_port() -> int:
    return free_ports(1)


def free_ports(count: int) -> int:
    """Return the first of `count` consecutive free ports, at random, so that concurrent callers get different ones."""
    starts = range(FIRST, LAST, count)
    for first in random.sample(starts, len(starts)):
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.socket()).bind((HOST, port))
            except OSError:
                continue
            return first
    msg = f"no {count} consecutive ports are free between {FIRST} and {LAST}"
    raise OSError(msg)
