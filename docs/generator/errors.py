"""The error responses, from their catalogue. The docstring of each constant says when it is sent."""

from collections.abc import Mapping

import api.http.errors
from api.http.errors import ErrorKind
from docs.generator.attribute_docs import attribute_docs
from docs.generator.markdown import table


def error_regions() -> Mapping[str, str]:
    """One table of all errors, by status and code."""
    docs = attribute_docs(api.http.errors)
    kinds = [(name, kind) for name, kind in vars(api.http.errors).items() if isinstance(kind, ErrorKind)]
    kinds.sort(key=lambda item: (item[1].status, item[1].code))
    rows = [(str(kind.status), f"`{kind.code}`", docs.get(name, kind.description)) for name, kind in kinds]
    return {"errors": table(("status", "`error`", "when"), rows)}
