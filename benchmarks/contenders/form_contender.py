"""A running contender whose clients authenticate in the form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from benchmarks.contenders.contender import (
    CLIENT_ID,
    CLIENT_SECRET,
    RESOURCE_SERVER_ID,
    RESOURCE_SERVER_SECRET,
    SCOPES,
    FormRequest,
)
from benchmarks.contenders.processes import process_tree

CLIENT = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
RESOURCE_SERVER = {"client_id": RESOURCE_SERVER_ID, "client_secret": RESOURCE_SERVER_SECRET}


@dataclass(frozen=True)
class FormContender:
    """The first process and the endpoints of a contender."""

    pid: int
    token_url: str
    introspection_url: str
    revocation_url: str
    introspection_client: Mapping[str, str] = field(default_factory=lambda: RESOURCE_SERVER)

    @property
    def pids(self) -> list[int]:
        return process_tree(self.pid)

    def issue(self) -> FormRequest:
        scope = " ".join(SCOPES)
        return FormRequest(self.token_url, urlencode({**CLIENT, "grant_type": "client_credentials", "scope": scope}))

    def introspect(self, token: str) -> FormRequest:
        return FormRequest(self.introspection_url, urlencode({**self.introspection_client, "token": token}))

    def revoke(self, token: str) -> FormRequest:
        return FormRequest(self.revocation_url, urlencode({**CLIENT, "token": token}))
