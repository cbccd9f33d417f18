"""Load named statements from .sql files."""

import re
from collections.abc import Mapping
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load_statements(package: str, filename: str) -> Mapping[str, str]:
    """The statements of a .sql file by name. Each starts with a line `-- name: some_name`.

    Raises ValueError if two statements share a name.
    """
    text = files(package).joinpath(filename).read_text(encoding="utf-8")
    _, *parts = _NAME.split(text)
    statements: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in statements:
            msg = f"{filename}: two statements are named {name}"
            raise ValueError(msg)
        statements[name] = body.strip()
    return statements
