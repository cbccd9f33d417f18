"""The functions of the ledger, one file each. The service changes the log and its inline projections by these alone."""

from collections.abc import Sequence
from importlib.resources import files


def function_statements(names: Sequence[str], schema: str) -> Sequence[str]:
    """The statements that create or replace these functions in a schema, given as a quoted identifier."""
    folder = files(__name__)
    return [folder.joinpath(f"{name}.sql").read_text("utf-8").replace("{schema}", schema) for name in names]
