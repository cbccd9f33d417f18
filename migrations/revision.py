"""Apply one revision: run its statements and grant privileges to the service's role."""

from collections.abc import Mapping, Sequence

from alembic import context, op


def apply_revision(statements: Sequence[str], privileges: Mapping[str, str]) -> None:
    """Run SQL statements in order, then grant `privileges` (by table) to the service's role.

    These are the privileges of the release that the revision came with. What the service has in the end is decided by
    `migrations.privileges`.
    """
    connection = op.get_bind()
    for statement in statements:
        connection.exec_driver_sql(statement)
    quote = connection.dialect.identifier_preparer.quote_identifier
    role = quote(context.config.attributes["service_role"])
    schema = quoted_schema()
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    for table, allowed in privileges.items():
        connection.exec_driver_sql(f"GRANT {allowed} ON {schema}.{quote(table)} TO {role}")


def quoted_schema() -> str:
    """The schema that the tables are in, as a quoted identifier."""
    connection = op.get_bind()
    schema: str = connection.exec_driver_sql("SELECT current_schema()").scalar_one()
    return connection.dialect.identifier_preparer.quote_identifier(schema)
