"""Checks of the ledger in the database: its schema, who may do what, the logs of the issuers, demo clients."""

from collections.abc import Mapping

from api.operations.doctor.findings import Finding, Patient, ok, problem, warning
from projections.versions import version_problems

NEEDED: Mapping[str, frozenset[str]] = {
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
"""What the service needs to do with each table."""

FORBIDDEN = ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER")
"""What nobody who serves may do with event_log; that is what makes it append-only."""

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


async def check_schema(patient: Patient) -> Finding:
    """The schema's revision against this release's."""
    head = patient.head_revision
    if not await patient.connection.fetchval(HAS_REVISION):
        return problem("schema", "no ledger in this database", "Run 'token-ledger migrate' as the owner.")
    revision = await patient.connection.fetchval(REVISION)
    if revision is None or revision < head:
        found = f"revision {revision}, this release needs {head}"
        return problem("schema", found, "Run 'token-ledger migrate' as the owner.")
    if revision > head:
        found = f"revision {revision}, newer than this release's {head}"
        return warning("schema", found, "Run the release that migrated it here too, once the upgrade is through.")
    return ok("schema", f"revision {revision}")


async def check_role(patient: Patient) -> Finding:
    """That the role which serves could not undo what its privileges forbid."""
    row = await patient.connection.fetchrow(ROLE)
    if row is None:  # the current user is a role
        raise AssertionError
    advice = "Connect as a role of its own (token_ledger_service), with the privileges that the migrations grant."
    if row["superuser"]:
        return problem("role", f"{row['name']} is a superuser, who may change recorded events", advice)
    if row["owner"]:
        return problem("role", f"{row['name']} has the rights of the tables' owner, who may change events", advice)
    return ok("role", f"{row['name']}, no superuser and not the owner")


async def check_privileges(patient: Patient) -> list[Finding]:
    """That the role may do what it needs, and cannot change what is recorded."""
    lacking = []
    for table, privileges in NEEDED.items():
        if not await patient.connection.fetchval(EXISTS, table):
            found = f"the table {table} is not there, or in a schema this role may not use"
            return [problem("privileges", found, "Run 'token-ledger migrate' as the owner.")]
        lacking += [
            f"{privilege} on {table}"
            for privilege in sorted(privileges)
            if not await patient.connection.fetchval(MAY, table, privilege)
        ]
    beyond = [p for p in FORBIDDEN if await patient.connection.fetchval(MAY, "event_log", p)]
    findings = []
    if lacking:
        advice = "Grant them as the owner: GRANT ... TO the role of the service."
        findings.append(problem("privileges", f"the role lacks {', '.join(lacking)}", advice))
    else:
        findings.append(ok("privileges", "all that the service needs"))
    if beyond:
        advice = f"As the owner: REVOKE {', '.join(beyond)} ON event_log FROM the role (and from PUBLIC)."
        findings.append(problem("append-only", f"the role may {', '.join(beyond)} on event_log", advice))
    else:
        findings.append(ok("append-only", "recorded events cannot be changed or removed by this role"))
    return findings


async def check_logs(patient: Patient) -> Finding:
    """That every configured issuer has a log; a missing one is new, or its path was changed or mistyped."""
    names = {row["name"] for row in await patient.connection.fetch(LOGS)}
    missing = [issuer.url for issuer in patient.issuers if issuer.log_name not in names]
    if missing:
        there = f"; there are logs for {', '.join(sorted(names))}" if names else ""
        advice = "Right for a new issuer: it gets one when it is first used. Else correct TOKEN_LEDGER_ISSUERS."
        return warning("logs", f"no log yet for {', '.join(missing)}{there}", advice)
    return ok("logs", f"every configured issuer has one ({len(patient.issuers)})")


async def check_demo(patient: Patient) -> Finding:
    """That no client can authenticate with a public secret."""
    rows = await patient.connection.fetch(DEMO)
    if rows:
        named = ", ".join(f"{row['client_id']} ({row['name']})" for row in rows)
        advice = "Fit for a demo only. Elsewhere: 'token-ledger clients disable' each of them."
        return warning("demo clients", f"enabled, with public secrets: {named}", advice)
    return ok("demo clients", "none are enabled")


async def check_projections(patient: Patient) -> Finding:
    """That the rows of the inline projections are of the versions that this release writes."""
    problems = await version_problems(patient.connection)
    if problems:
        return problem("projections", " ".join(problems), "Until then nothing can be recorded by this release.")
    return ok("projections", "the inline ones are of the versions this release writes")
