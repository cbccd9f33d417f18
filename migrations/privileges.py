"""Who may do what: the grants that a migration gives to the service's role."""

from collections.abc import Mapping

from alembic import context, op


def grant(privileges: Mapping[str, str]) -> None:
    """Within a migration: let the service's role use the schema, and these tables with these privileges.

    What is not granted here the service cannot do; the tables belong to the role that runs the migrations.
    """
    connection = op.get_bind()
    quote = connection.dialect.identifier_preparer.quote_identifier
    role = quote(context.config.attributes["service_role"])
    schema = quote(connection.exec_driver_sql("SELECT current_schema()").scalar_one())
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    for table, allowed in privileges.items():
        connection.exec_driver_sql(f"GRANT {allowed} ON {schema}.{quote(table)} TO {role}")
