"""The privileges of the service role, from the migrations that grant them."""

from collections.abc import Iterator, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from docs.generator.markdown import table

VERSIONS = Path(__file__).parents[2] / "migrations" / "versions"
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE")


def database_regions() -> Mapping[str, str]:
    """One table of all tables. A later migration replaces what an earlier one granted."""
    granted = {name: privileges for module in load_revisions() for name, privileges in module.GRANTS.items()}
    rows = [
        (f"`{name}`", *("yes" if privilege in privileges else "" for privilege in PRIVILEGES))
        for name, privileges in sorted(granted.items())
    ]
    return {"privileges": table(("table", *PRIVILEGES), rows)}


def load_revisions() -> Iterator[ModuleType]:
    """Import every migration, oldest first."""
    for file in sorted(VERSIONS.glob("*.py")):
        spec = spec_from_file_location(f"revision_{file.stem}", file)
        if spec is None or spec.loader is None:
            msg = f"{file} cannot be imported"
            raise ImportError(msg)
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
