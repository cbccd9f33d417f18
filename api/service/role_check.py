"""Which rights the role of a connection has beyond those of the service."""

from ledger.postgres.database import Connection

ROLE = """
SELECT current_user AS name, r.rolsuper AS superuser,
       coalesce((SELECT pg_has_role(c.relowner, 'MEMBER')
                   FROM pg_class c WHERE c.oid = to_regclass('event_log')), false) AS owner
  FROM pg_roles r WHERE r.rolname = current_user
"""


async def describe_excess_rights(connection: Connection) -> str | None:
    """Say why this role could change recorded events, or return None if it cannot."""
    row = await connection.fetchrow(ROLE)
    assert row is not None, "the current user is a role"
    if row["superuser"]:
        return f"the role {row['name']} is a superuser and could change recorded events"
    if row["owner"]:
        return f"the role {row['name']} has the rights of the tables' owner and could change recorded events"
    return None
