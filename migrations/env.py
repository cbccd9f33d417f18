"""The Alembic environment. `migrations.runner` brings the connection; there is no alembic.ini and no URL to configure.

Migrations are written by hand, in SQL, and run online. A downgrade is not offered: it would drop recorded events, and
the log is never to lose one. To go back, restore the older release; a migration keeps what that release reads.
"""

import logging

from alembic import context
from alembic.util import CommandError


def run() -> None:
    """Run the migrations on the connection that the runner made."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        msg = "The migrations are run by `token-ledger migrate`, which takes the lock and checks the roles first."
        raise CommandError(msg)
    # Whoever asked for the upgrade says which revisions were applied; Alembic need not say it too.
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)
    context.configure(
        connection=connection,
        transaction_per_migration=True,
        on_version_apply=context.config.attributes["on_version_apply"],
    )
    with context.begin_transaction():
        context.run_migrations()


run()
