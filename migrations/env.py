"""The Alembic environment. `migrations.runner` supplies the connection; there is no alembic.ini.

There are no downgrades, because a downgrade would drop recorded events. To go back, run the older release: each
revision keeps what that release reads.
"""

import logging

from alembic import context

# The caller of the runner reports the applied revisions.
logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)
context.configure(
    connection=context.config.attributes["connection"],
    transaction_per_migration=True,
    on_version_apply=context.config.attributes["on_version_apply"],
)
with context.begin_transaction():
    context.run_migrations()
