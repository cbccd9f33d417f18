"""Checks of the ledger: schema, role and privileges, logs, projections, demo clients."""

from api.operations.doctor.checks import CheckContext, CheckResult, ok, problem, warning
from api.service.role_check import describe_excess_rights
from migrations.privileges import PROJECTOR_TABLES, READ_TABLES, SERVICE_FUNCTIONS
from projections.versions import version_problems
from projections.view_check import SQL as VIEW_CHECK

FORBIDDEN_PRIVILEGES = ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER")
"""Privileges that the service must not have on the tables that only functions may change."""

PROTECTED_TABLES = ("event_log", "log_head", "logs", "active_tokens", "clients", "expiry_sweep")

MIGRATE = "Run 'token-ledger migrate' as the owner."

MAY_EXECUTE = "SELECT has_function_privilege(oid, 'EXECUTE') FROM pg_proc WHERE oid = to_regproc($1)"
REVISION = "SELECT version_num FROM alembic_version"
HAS_REVISION = "SELECT to_regclass('alembic_version') IS NOT NULL AND has_table_privilege('alembic_version', 'SELECT')"
EXISTS = "SELECT to_regclass($1) IS NOT NULL"
MAY = "SELECT has_table_privilege($1, $2)"
LOGS = "SELECT name FROM logs"
DEMO = """
SELECT l.name, c.client_id
  FROM clients c JOIN logs l USING (log_id)
 WHERE (c.document -> 'settings' ->> 'demo')::boolean AND (c.document ->> 'enabled')::boolean
 ORDER BY l.name, c.client_id
"""


async def check_schema(context: CheckContext) -> CheckResult:
    """Compare the revision of the schema with this release."""
    head = context.head_revision
    if not await context.connection.fetchval(HAS_REVISION):
        return problem("schema", "no ledger in this database", "Run 'token-ledger migrate' as the owner.")
    revision = await context.connection.fetchval(REVISION)
    if revision is None or revision < head:
        found = f"revision {revision}, this release needs {head}"
        return problem("schema", found, "Run 'token-ledger migrate' as the owner.")
    if revision > head:
        found = f"revision {revision}, newer than this release's {head}"
        return warning("schema", found, "Upgrade this host to the release that migrated it.")
    return ok("schema", f"revision {revision}")


async def check_role(context: CheckContext) -> CheckResult:
    """Check that the role cannot grant itself the forbidden privileges."""
    excess = await describe_excess_rights(context.connection)
    if excess:
        advice = "Connect as the role token_ledger_service, which has the privileges that the migrations grant."
        return problem("role", excess, advice)
    return ok("role", "neither superuser nor owner of the tables")


async def check_privileges(context: CheckContext) -> list[CheckResult]:
    """Check that the role can read and call what it needs, and change nothing by itself."""
    connection = context.connection
    lacking = []
    for table in READ_TABLES:
        if not await connection.fetchval(EXISTS, table):
            found = f"the table {table} is missing, or in a schema that this role may not use"
            return [problem("privileges", found, MIGRATE)]
        if not await connection.fetchval(MAY, table, "SELECT"):
            lacking.append(f"SELECT on {table}")
    lacking += [f"EXECUTE on {name}" for name in SERVICE_FUNCTIONS if not await connection.fetchval(MAY_EXECUTE, name)]
    result = ok("privileges", "the role has all required privileges")
    if lacking:
        result = problem("privileges", f"the role lacks {', '.join(lacking)}", MIGRATE)
    return [result, await _check_protected_tables(context), await _check_projector(context)]


async def _check_protected_tables(context: CheckContext) -> CheckResult:
    excess = [
        f"{privilege} on {table}"
        for table in PROTECTED_TABLES
        for privilege in FORBIDDEN_PRIVILEGES
        if await context.connection.fetchval(MAY, table, privilege)
    ]
    if excess:
        advice = (
            "Once no process of an older release runs: 'token-ledger migrate --finish' as the owner. "
            "If that does not help, REVOKE them FROM the role and FROM PUBLIC."
        )
        return problem("append-only", f"the role has {', '.join(excess)}", advice)
    return ok("append-only", "this role can change the log and the tokens only by recording events")


async def _check_projector(context: CheckContext) -> CheckResult:
    if not any([await context.connection.fetchval(MAY, table, "INSERT") for table in PROJECTOR_TABLES]):
        return ok("projector", "catch-up projections are written by a role of their own")
    advice = (
        "Anyone who has the service's password can rewrite the history that auditors see. As an administrator: "
        "CREATE ROLE token_ledger_projector LOGIN PASSWORD '…'; as the owner: 'token-ledger migrate --finish'; "
        "then give its DSN as TOKEN_LEDGER_PROJECTOR_DSN."
    )
    return warning("projector", "the role of the service also writes the catch-up projections", advice)


async def check_logs(context: CheckContext) -> CheckResult:
    """Check that every configured issuer has a log. A missing log means a new issuer, or a changed path."""
    names = {row["name"] for row in await context.connection.fetch(LOGS)}
    missing = [issuer.url for issuer in context.issuers if issuer.log_name not in names]
    if missing:
        there = f"; the logs are {', '.join(sorted(names))}" if names else ""
        advice = "A new issuer gets its log with its first event. Otherwise correct TOKEN_LEDGER_ISSUERS."
        return warning("logs", f"no log yet for {', '.join(missing)}{there}", advice)
    return ok("logs", f"every configured issuer has a log ({len(context.issuers)})")


async def check_demo(context: CheckContext) -> CheckResult:
    """Check that no client can authenticate with a public secret."""
    rows = await context.connection.fetch(DEMO)
    if rows:
        named = ", ".join(f"{row['client_id']} ({row['name']})" for row in rows)
        advice = "Unless this is a demo, run 'token-ledger clients disable' for each of them."
        return warning("demo clients", f"enabled, with public secrets: {named}", advice)
    return ok("demo clients", "none are enabled")


async def check_projections(context: CheckContext) -> CheckResult:
    """Check that the inline projections have the versions that this release writes."""
    problems = await version_problems(context.connection)
    if problems:
        return problem("projections", " ".join(problems), "Until then this release cannot append events.")
    return ok("projections", "the inline projections have the versions of this release")


async def check_verification(context: CheckContext) -> CheckResult:
    """Check what the comparison of the projections with each log has found."""
    rows = await context.connection.fetch(VIEW_CHECK["results"], [issuer.log_name for issuer in context.issuers])
    differing = [f"{row['log']}: {'; '.join(row['first_differences'])}" for row in rows if row["differences"]]
    if differing:
        found = f"{sum(row['differences'] for row in rows)} rows differ from the log: {', '.join(differing)}"
        advice = (
            "Find out who changed them. 'token-ledger projections verify' shows them, and "
            "'token-ledger projections rebuild' makes them what the log says."
        )
        return problem("verification", found, advice)
    ages = [row["age_seconds"] for row in rows]
    if not ages or None in ages:
        return ok("verification", "no differences found; the first comparison with the log is not complete")
    return ok("verification", f"the last comparison with the log, started {max(ages) / 3600:.1f} h ago, was equal")
