"""${message}"""

from migrations.revision import apply_revision

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}

STATEMENTS = ()

GRANTS: dict[str, str] = {}


def upgrade() -> None:
    """${message}"""
    apply_revision(STATEMENTS, GRANTS)
