"""The schemas of the bodies that are answered: JSON Schema of the types that the code encodes."""

from collections.abc import Iterable
from typing import Any

import msgspec

from api.http.audit.documents import EventDocument
from api.http.audit.shown_events import SHOWN_TYPES

REFERENCE = "#/components/schemas/{name}"


def schemas_of(models: Iterable[Any]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """The schema of each model, and the components that they refer to.

    The `data` of an event is what is shown of one of the types of events.
    """
    listed = list(dict.fromkeys(models))
    shown = list(SHOWN_TYPES.values())
    schemas, components = msgspec.json.schema_components([*listed, *shown], ref_template=REFERENCE)
    of_data = {"anyOf": list(schemas[len(listed) :])}
    for component in components.values():
        data = component.get("properties", {}).get("data")
        if data is not None and _is_event(component):
            component["properties"]["data"] = of_data
    return dict(zip(listed, schemas, strict=False)), components


def _is_event(component: dict[str, Any]) -> bool:
    return all(field.name in component["properties"] for field in msgspec.structs.fields(EventDocument))
