"""The settings, from the class that reads them."""

from collections.abc import Mapping
from typing import Any, get_args

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from api.service.settings import Settings, flag_name, variable_name


def setting_regions() -> Mapping[str, str]:
    """A section for each setting."""
    return {"settings": "\n\n".join(_section(name, info) for name, info in Settings.model_fields.items())}


def _section(name: str, info: FieldInfo) -> str:
    facts = [f"`{variable_name(name)}`, `{_flags(name, info)}`.", _default(info), _choices(info), _bounds(info)]
    return f"## {name}\n\n{' '.join(filter(None, facts))}\n\n{info.description}"


def _flags(name: str, info: FieldInfo) -> str:
    return f"{flag_name(name)}`, `--no-{flag_name(name)[2:]}" if info.annotation is bool else flag_name(name)


def _default(info: FieldInfo) -> str:
    if "Default:" in (info.description or ""):
        return ""
    return f"Default: {format_default(info.default)}."


def format_default(value: Any) -> str:
    """A default as documentation shows it."""
    match value:
        case None | ():
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case float():
            return f"`{value:g}`"
        case _:
            return f"`{value}`"


def _choices(info: FieldInfo) -> str:
    choices = [choice for choice in get_args(info.annotation) if isinstance(choice, str)]
    return f"One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""


def _bounds(info: FieldInfo) -> str:
    words = []
    for bound in info.metadata:
        match bound:
            case Ge():
                words.append(f"at least {bound.ge}")
            case Gt():
                words.append(f"more than {bound.gt}")
            case Le():
                words.append(f"at most {bound.le}")
    return f"Allowed: {', '.join(words)}." if words else ""
