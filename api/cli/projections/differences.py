"""How differing rows of a projection are shown: a line each, with its key and the columns that differ."""

from collections.abc import Sequence

from api.cli.output import print_table
from projections.rebuilding.comparison import Difference, Values


def show_differences(found: Sequence[Difference], *, only_before: str, only_after: str, both: str) -> None:
    """A table of them; the three words say of a row where it is, by the meaning that before and after have."""
    rows = []
    for difference in found:
        if difference.after is None:
            what, columns = only_before, ""
        elif difference.before is None:
            what, columns = only_after, ""
        else:
            what, columns = both, _changed(difference.before, difference.after)
        rows.append((difference.table, what, _listed(difference.key), columns))
    print_table(("TABLE", "ROW", "KEY", "COLUMNS"), rows)


def _listed(values: Values) -> str:
    return " ".join(f"{column}={value}" for column, value in values.items())


def _changed(before: Values, after: Values) -> str:
    return "; ".join(f"{column}: {_shown(before[column])} -> {_shown(after[column])}" for column in before)


def _shown(value: object) -> str:
    return "-" if value is None else str(value)
