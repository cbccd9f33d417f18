"""Ports of this machine that nobody has."""

import random
import socket
from contextlib import ExitStack

HOST = "127.0.0.1"
FIRST, LAST = 20_000, 32_000
"""Below those that the system gives to outgoing connections, so that no client of a benchmark takes one meanwhile."""


def free_port() -> int:
    """One port."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of so many ports in a row; anywhere, so that two who ask at once are not given the same."""
    places = range(FIRST, LAST, count)
    for first in random.sample(places, len(places)):
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.socket()).bind((HOST, port))
            except OSError:
                continue
            return first
    msg = f"no {count} ports in a row are free between {FIRST} and {LAST}"
    raise OSError(msg)
