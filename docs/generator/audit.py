"""The parameters of the audit endpoints, from their declarations."""

from collections.abc import Mapping
from typing import Any

from api.http.app import AUDIT_ENDPOINTS, EVENT_STREAM
from api.http.audit.event_stream import EventStreamEndpoint
from api.http.operation import Parameter
from docs.generator.markdown import table


def audit_regions() -> Mapping[str, str]:
    """A table of parameters for each endpoint, by its path."""
    endpoints = (*AUDIT_ENDPOINTS, (EVENT_STREAM, EventStreamEndpoint))
    return {f"parameters {path}": _parameters(endpoint.OPERATION.parameters) for path, endpoint in endpoints}


def _parameters(parameters: Any) -> str:
    return table(("parameter", "in", "meaning"), [(f"`{p.name}`", p.location, _meaning(p)) for p in parameters])


def _meaning(parameter: Parameter[Any]) -> str:
    return parameter.description + (" Required." if parameter.required and parameter.location != "path" else "")
