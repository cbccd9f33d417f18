"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
"""

from alembic import op

from migrations.privileges import grant

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}

STATEMENTS = ()

GRANTS: dict[str, str] = {}


def upgrade() -> None:
    """${message}"""
    for statement in STATEMENTS:
        op.get_bind().exec_driver_sql(statement)
    grant(GRANTS)
