"""The listening socket. It is opened first, so that a port conflict is reported before anything else starts."""

import errno
import socket

from api.operations.errors import OperationError

BACKLOG = 1024

PORT_FLAG = "--port (TOKEN_LEDGER_PORT; make run takes PORT=...)"


def listen(host: str, port: int, *, flag: str = PORT_FLAG) -> socket.socket:
    """Open a listening socket; port 0 takes a free port. Error messages name `flag` as the way to change the port.

    Raises OperationError.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        dualstack = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
        listening = socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=dualstack)
    except (OSError, UnicodeError) as error:
        match error:
            case OSError(errno=errno.EADDRINUSE):
                reason = f"is in use by another process. Stop it, or choose another port with {flag}."
            case OSError(errno=errno.EACCES):
                reason = f"is not allowed for this user: ports below 1024 need root. Use {flag}."
            case OSError(errno=errno.EADDRNOTAVAIL) | socket.gaierror() | UnicodeError():
                msg = f"--host (TOKEN_LEDGER_HOST): {host!r} is not an address of this machine: {error}"
                raise OperationError(msg) from None
            case _:
                reason = f"cannot be listened on: {error}"
        msg = f"port {port} of {host} {reason}"
        raise OperationError(msg) from None
    listening.setblocking(False)  # noqa: FBT003 (the library's signature)
    return listening
