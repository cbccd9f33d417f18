"""Compare two tables of the same shape, over all columns and in both directions."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from projections.projection import Projection
from projections.rebuilding.connections import BuildConnection
from projections.rebuilding.tables import SQL

HIDDEN = "(not shown)"

Values = Mapping[str, Any]


class Difference(Struct, frozen=True):
    """A row that differs: its key, and the columns that differ on each side. A side without the row is None."""

    table: str
    key: Values
    before: Values | None
    after: Values | None


class Differences(Struct, frozen=True):
    """The first differences by table and key, and the count of all."""

    first: Sequence[Difference]
    count: int


async def compare_tables(
    connection: BuildConnection,
    projection: Projection,
    before: tuple[str, str],
    after: tuple[str, str],
    *,
    log_id: int | None,
    limit: int,
    streams: Sequence[UUID] | None = None,
    now: int | None = None,
) -> Differences:
    """Compare the tables of a projection, within a transaction.

    `before` and `after` are a schema and the prefix of each table's name there. `log_id` and `streams` restrict the
    rows; with `streams`, only tables whose rows belong to one stream are compared. A row that has expired by `now` may
    be missing after. Values of hidden columns are not returned, only whether they differ.
    """
    first: list[Difference] = []
    count = 0
    # Both tables are read as a whole.
    await connection.execute("SET LOCAL enable_seqscan = on")
    of_streams = {} if streams is None else projection.stream_columns
    for table in projection.tables if streams is None else of_streams:
        places = (before[0], before[1] + table, after[0], after[1] + table)
        columns = of_streams.get(table), projection.expiry_columns.get(table)
        statement = await connection.fetchval(SQL["compare"], *places, *columns)
        key = [row["name"] for row in await connection.fetch(SQL["key"], after[0], after[1] + table)]
        rows = await connection.fetch(statement, log_id, max(1, limit - len(first)), streams, now)
        first += [
            _difference(table, key, row["before"], row["after"], projection.hidden_columns)
            for row in rows[: limit - len(first)]
        ]
        count += rows[0]["count"] if rows else 0
    await connection.execute("SET LOCAL enable_seqscan = off")
    return Differences(first, count)


def _difference(
    table: str, key: Sequence[str], before: str | None, after: str | None, hidden: frozenset[str]
) -> Difference:
    left, right = _columns(before), _columns(after)
    row = left or right
    others = [column for column in row if column not in key]
    if left and right:
        # Compare as JSON text: in Python 1 equals True.
        others = [column for column in others if bytes(left[column]) != bytes(right[column])]

    def values(side: Mapping[str, msgspec.Raw]) -> Values | None:
        if not side:
            return None
        return {column: HIDDEN if column in hidden else msgspec.json.decode(side[column]) for column in others}

    return Difference(table, {column: msgspec.json.decode(row[column]) for column in key}, values(left), values(right))


def _columns(row: str | None) -> Mapping[str, msgspec.Raw]:
    return {} if row is None else msgspec.json.decode(row, type=dict[str, msgspec.Raw])
