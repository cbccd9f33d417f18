"""Checks of the ledger: schema, role and privileges, logs, projections, demo clients."""

from collections.abc import Mapping

from api.operations.doctor.checks import CheckContext, CheckResult, ok, problem, warning
from projections.versions import version_problems

REQUIRED_PRIVILEGES: Mapping[str, frozenset[str]] = {
    "logs": frozenset({"SELECT", "INSERT"}),
    "log_head": frozenset({"SELECT", "INSERT", "UPDATE"}),
    "event_log": frozenset({"SELECT", "INSERT"}),
    "log_archives": frozenset({"SELECT"}),
    "active_tokens": frozenset({"SELECT", "INSERT", "DELETE"}),
    "clients": frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"}),
    "token_history": frozenset({"SELECT", "INSERT", "UPDATE"}),
    "token_activity": frozenset({"SELECT", "INSERT", "UPDATE"}),
    "projection_checkpoints": frozenset({"SELECT", "INSERT", "UPDATE"}),
    "projection_skips": frozenset({"SELECT", "INSERT"}),
    "projection_builds": frozenset({"SELECT"}),
    "projection_build_positions": frozenset({"SELECT"}),
    "projection_versions": frozenset({"SELECT"}),
    "expiry_sweep": frozenset({"SELECT", "UPDATE"}),
    "alembic_version": frozenset({"SELECT"}),
}
"""The privileges that the service needs on each table."""

FORBIDDEN_PRIVILEGES = ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER")
"""Privileges on event_log that the service must not have, so that the log is append-only."""

REVISION = "SELECT version_num FROM alembic_version"
HAS_REVISION = "SELECT to_regclass('alembic_version') IS NOT NULL AND has_table_privilege('alembic_version', 'SELECT')"
EXISTS = "SELECT to_regclass($1) IS NOT NULL"
MAY = "SELECT has_table_privilege($1, $2)"
ROLE = """
SELECT current_user AS name, r.rolsuper AS superuser,
       coalesce((SELECT pg_has_role(c.relowner, 'MEMBER')
                   FROM pg_class c WHERE c.oid = to_regclass('event_log')), false) AS owner
  FROM pg_roles r WHERE r.rolname = current_user
"""
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
    row = await context.connection.fetchrow(ROLE)
    if row is None:  # the current user is a role
        raise AssertionError
    advice = "Connect as the role token_ledger_service, which has the privileges that the migrations grant."
    if row["superuser"]:
        return problem("role", f"{row['name']} is a superuser and may change recorded events", advice)
    if row["owner"]:
        return problem("role", f"{row['name']} has the rights of the tables' owner and may change events", advice)
    return ok("role", f"{row['name']}, neither superuser nor owner")


async def check_privileges(context: CheckContext) -> list[CheckResult]:
    """Check that the role has the required privileges, and cannot change recorded events."""
    lacking = []
    for table, privileges in REQUIRED_PRIVILEGES.items():
        if not await context.connection.fetchval(EXISTS, table):
            found = f"the table {table} is missing, or in a schema that this role may not use"
            return [problem("privileges", found, "Run 'token-ledger migrate' as the owner.")]
        lacking += [
            f"{privilege} on {table}"
            for privilege in sorted(privileges)
            if not await context.connection.fetchval(MAY, table, privilege)
        ]
    excess = [p for p in FORBIDDEN_PRIVILEGES if await context.connection.fetchval(MAY, "event_log", p)]
    findings = []
    if lacking:
        advice = "As the owner: GRANT them to the role of the service."
        findings.append(problem("privileges", f"the role lacks {', '.join(lacking)}", advice))
    else:
        findings.append(ok("privileges", "the role has all required privileges"))
    if excess:
        advice = f"As the owner: REVOKE {', '.join(excess)} ON event_log FROM the role (and from PUBLIC)."
        findings.append(problem("append-only", f"the role may {', '.join(excess)} on event_log", advice))
    else:
        findings.append(ok("append-only", "recorded events cannot be changed or removed by this role"))
    return findings


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
