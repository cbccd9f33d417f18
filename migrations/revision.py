"""Apply one revision: run its statements and grant privileges to the service's role."""

from collections.abc import Mapping, Sequence

from alembic import context, op


def apply_revision(statements: Sequence[str], privileges: Mapping[str, str]) -> None:
    """Run SQL statements in order, then grant `privileges` (by table) to the service's role.

    The service can do only what is granted here; the tables belong to the role that runs the migrations.
    """
    connection = op.get_bind()
    for statement in statements:
        connection.exec_driver_sql(statement)
    quote = connection.dialect.identifier_preparer.quote_identifier
    role = quote(context.config.attributes["service_role"])
    schema = quote(connection.exec_driver_sql("SELECT current_schema()").scalar_one())
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    for table, allowed in privileges.items():
        connection.exec_driver_sql(f"GRANT {allowed} ON {schema}.{quote(table)} TO {role}")
