"""How callers authenticate, as OpenAPI has it."""

from typing import Any

from api.http.audit.problems import AUDIT_SCOPE
from api.http.operation import Security

SECURITY_SCHEMES: dict[str, Any] = {
    "client_secret_basic": {
        "type": "http",
        "scheme": "basic",
        "description": "RFC 6749 §2.3.1: id and secret, form-encoded each. The other way is `client_id` and "
        "`client_secret` in the form; never both.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": f"RFC 6750 §2.1: an access token of this issuer with the scope `{AUDIT_SCOPE}`.",
    },
}

REQUIREMENTS: dict[Security, list[dict[str, list[str]]]] = {
    "none": [],
    "client": [{"client_secret_basic": []}, {}],
    "bearer": [{"bearer": []}],
}
"""Which of them an operation takes. `{}`: the client authenticates itself in the form."""
