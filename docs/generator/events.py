"""The events, from their classes: topic, schema version, fields, and a stored payload from the golden corpus."""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.inspect import (
    BoolType,
    BytesType,
    DateTimeType,
    IntType,
    LiteralType,
    NoneType,
    StrType,
    StructType,
    UnionType,
    UUIDType,
    VarTupleType,
    type_info,
)

import ledger.domain.events
from docs.generator.attribute_docs import attribute_docs
from docs.generator.markdown import table
from docs.generator.settings import format_default
from ledger.domain.events import EVENT_TYPES, ClientSettings, Event, StoredSecret

GOLDEN = Path(__file__).parents[2] / "tests" / "golden" / "events"
TITLES: Mapping[type, str] = {ClientSettings: "Client settings", StoredSecret: "Stored secret"}
_NAMES: Mapping[type, str] = {
    UUIDType: "UUID",
    BytesType: "bytes",
    StrType: "string",
    IntType: "integer",
    BoolType: "boolean",
    DateTimeType: "instant",
    NoneType: "null",
}


def event_regions() -> Mapping[str, str]:
    """A region for the events of each aggregate, and one for the structures that events hold."""
    docs = attribute_docs(ledger.domain.events)
    regions: dict[str, list[str]] = {}
    for event_type in EVENT_TYPES:
        regions.setdefault(f"{event_type.TOPIC.partition('.')[0]} events", []).append(_event(event_type, docs))
    regions["structures"] = [
        f"## {title}\n\n{_doc(struct)}\n\n{_fields(struct, docs)}" for struct, title in TITLES.items()
    ]
    return {name: "\n\n".join(sections) for name, sections in regions.items()}


def _event(event_type: type[Event], docs: Mapping[str, str]) -> str:
    version = event_type.SCHEMA_VERSION
    stored = json.loads((GOLDEN / f"{event_type.TOPIC}.v{version}.json").read_text(encoding="utf-8"))
    sample = json.dumps(stored, indent=2, ensure_ascii=False, sort_keys=True)
    return (
        f"### `{event_type.TOPIC}`\n\n{_doc(event_type)} Schema version {version}.\n\n"
        f"{_fields(event_type, docs)}\n\n```json\n{sample}\n```"
    )


def _doc(struct: type) -> str:
    return inspect.getdoc(struct) or ""


def _fields(struct: type, docs: Mapping[str, str]) -> str:
    rows = []
    for field in msgspec.structs.fields(struct):
        default = "" if field.required else f" Default: {format_default(field.default)}."
        meaning = docs.get(f"{struct.__name__}.{field.name}", "")
        rows.append((f"`{field.name}`", _type_name(type_info(field.type)), meaning + default))
    return table(("field", "type", "meaning"), rows)


def _type_name(kind: Any) -> str:
    match kind:
        case VarTupleType():
            return f"array of {_type_name(kind.item_type)}s"
        case LiteralType():
            return ", ".join(f"`{value}`" for value in kind.values)
        case UnionType():
            return " or ".join(map(_type_name, kind.types))
        case StructType():
            title = TITLES[kind.cls]
            return f"[{title.lower()}](#{title.lower().replace(' ', '-')})"
        case _:
            return _NAMES[type(kind)]
