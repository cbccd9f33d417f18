"""The listening socket. It is opened first, so that a port conflict is reported before anything else starts."""

import errno
import socket

BACKLOG = 1024

PORT_FLAG = "--port (TOKEN_LEDGER_PORT; make run takes PORT=...)"


class ListenError(Exception):
    """The address cannot be listened on; the message says what to do."""


def listen(host: str, port: int, *, flag: str = PORT_FLAG) -> socket.socket:
    """Open a listening socket; port 0 takes a free port. Error messages name `flag` as the way to change the port.

    Raises ListenError.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        msg = f"--host (TOKEN_LEDGER_HOST): {host!r} is not an address of this machine: {error}"
        raise ListenError(msg) from None
    listening = socket.socket(family, kind, protocol)
    try:
        # Connections of a server that just stopped stay in TIME_WAIT; the port may be reused nevertheless.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise ListenError(_explain(error, host, port, flag)) from None
    listening.setblocking(False)  # noqa: FBT003 (the library's signature)
    return listening


def get_port(listening: socket.socket) -> int:
    """Return the port of a listening socket."""
    return int(listening.getsockname()[1])


def _explain(error: OSError, host: str, port: int, flag: str) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} of {host} is in use by another process. Stop it, or choose another port with {flag}."
        case errno.EACCES:
            return f"port {port} of {host} is not allowed for this user: ports below 1024 need root. Use {flag}."
        case errno.EADDRNOTAVAIL:
            return f"--host (TOKEN_LEDGER_HOST): {host} is not an address of this machine"
        case _:
            return f"port {port} of {host} cannot be listened on: {error.strerror}"
