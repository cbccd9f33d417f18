"""Load on a running service: threads that issue, introspect and revoke tokens without pause."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service_process import TIMEOUT_SECONDS, Credentials, ServiceProcess

THREADS = 3


class TokenLoad:
    """Runs until the `running` block ends. `failures` must stay empty."""

    def __init__(self, service: ServiceProcess, user: Credentials, resource_server: Credentials) -> None:
        self.service = service
        self._user = user
        self._resource_server = resource_server
        self._stopping = threading.Event()
        self.failures: list[BaseException] = []
        self.active: list[str] = []
        self.revoked: list[str] = []

    @contextmanager
    def running(self, *also: Callable[[], None]) -> Iterator[None]:
        """Run the load, and each of `also` in a thread of its own, over and over."""
        work = (*[self._use_tokens] * THREADS, *also)
        threads = [threading.Thread(target=self._repeat, args=(action,)) for action in work]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join(TIMEOUT_SECONDS)

    def is_active(self, token: str) -> bool:
        return bool(self._resource_server.introspect(self.service, token)["active"])

    def assert_tokens_are_as_responded(self) -> None:
        """Every token that was only issued is active; every revoked one is not."""
        for failure in self.failures:
            raise failure
        assert all(self.is_active(token) for token in self.active)
        assert not any(self.is_active(token) for token in self.revoked)

    def _repeat(self, action: Callable[[], None]) -> None:
        try:
            while not self._stopping.is_set():
                action()
        except BaseException as error:  # noqa: BLE001 (the test asserts that there are none)
            self.failures.append(error)

    def _use_tokens(self) -> None:
        kept, ended = self._user.request_token(self.service), self._user.request_token(self.service)
        assert self.is_active(kept)
        self._user.revoke(self.service, ended)
        assert self._resource_server.introspect(self.service, ended) == {"active": False}
        self.active.append(kept)
        self.revoked.append(ended)
