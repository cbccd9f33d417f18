"""What goes on in a thread of its own while something else is measured."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def meanwhile(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Within, it works. It is given what is set when that is enough, and is waited for."""
    enough = threading.Event()
    thread = threading.Thread(target=work, args=(enough,))
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
