"""The privileges of the service's and the projector's role, from `migrations.privileges`."""

import re
from collections.abc import Mapping
from importlib.resources import files

from docs.generator.markdown import table
from migrations.privileges import PROJECTOR_TABLES, READ_TABLES, SERVICE_FUNCTIONS


def database_regions() -> Mapping[str, str]:
    """A table of all tables, and one of the functions with the first sentence of each."""
    rows = [
        (f"`{name}`", "SELECT", f"SELECT, {PROJECTOR_TABLES[name]}" if name in PROJECTOR_TABLES else "SELECT")
        for name in READ_TABLES
    ]
    functions = [(f"`{name}`", _first_sentence(name)) for name in SERVICE_FUNCTIONS]
    return {
        "privileges": table(("table", "service", "projector"), rows),
        "functions": table(("function", "what it does"), functions),
    }


def _first_sentence(function: str) -> str:
    text = files("migrations.functions").joinpath(f"{function}.sql").read_text("utf-8")
    comment = " ".join(line.removeprefix("--").strip() for line in text.partition("CREATE")[0].splitlines())
    found = re.match(r".*?[.:](?= |$)", comment)
    assert found is not None, f"{function}.sql begins with a comment"
    return found[0].rstrip(":") + ("." if found[0].endswith(":") else "")
