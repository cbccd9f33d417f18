"""The socket a server listens on. It is taken first, so that a port in use is known before anything is started."""

import errno
import socket

BACKLOG = 1024

PORT_FLAG = "--port (TOKEN_LEDGER_PORT; make run takes PORT=...)"


class CannotListen(Exception):
    """The address cannot be listened on; the message says what to do."""


def listen(host: str, port: int, *, flag: str = PORT_FLAG) -> socket.socket:
    """A listening socket; port 0 takes a free one. `flag` is what chooses another. Raises CannotListen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        msg = f"--host (TOKEN_LEDGER_HOST): {host!r} is no address of this machine: {error}"
        raise CannotListen(msg) from None
    listening = socket.socket(family, kind, protocol)
    try:
        # A server that was just stopped leaves connections in TIME_WAIT; its port may be taken again all the same.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise CannotListen(_explain(error, host, port, flag)) from None
    listening.setblocking(False)  # noqa: FBT003 (the library's signature)
    return listening


def port_of(listening: socket.socket) -> int:
    """The port that is listened on."""
    return int(listening.getsockname()[1])


def _explain(error: OSError, host: str, port: int, flag: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} of {host} is in use by another process. Stop it, or choose another port with {flag}."
        case errno.EACCES:
            return f"port {port} of {host} may not be taken by this user: ports below 1024 are for root. Use {flag}."
        case errno.EADDRNOTAVAIL:
            return f"--host (TOKEN_LEDGER_HOST): {host} is no address of this machine"
        case _:
            return f"port {port} of {host} cannot be listened on: {error.strerror}"
