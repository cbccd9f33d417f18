"""Describe a schema as text: tables with columns, constraints, indexes, comments and privileges."""

from tests.databases import connect

TABLES = """
SELECT c.oid, c.relname AS name, pg_get_userbyid(c.relowner) AS owner, c.reloptions AS options,
       obj_description(c.oid, 'pg_class') AS comment
  FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
 ORDER BY c.relname
"""

COLUMNS = """
SELECT format('%s %s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
              CASE WHEN a.attcollation NOT IN (0, 100) THEN ' COLLATE ' || l.collname END,
              CASE WHEN a.attnotnull THEN ' NOT NULL' END,
              ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)) AS line,
       col_description(a.attrelid, a.attnum) AS comment
  FROM pg_attribute a
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN pg_collation l ON l.oid = a.attcollation
 WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
"""

# Only PostgreSQL 18 lists NOT NULL as constraints; the columns contain it already.
CONSTRAINTS = """
SELECT format('%s %s', conname, pg_get_constraintdef(oid)) AS line FROM pg_constraint
 WHERE conrelid = $1 AND contype <> 'n' ORDER BY conname
"""

INDEXES = (
    "SELECT pg_get_indexdef(indexrelid) AS line FROM pg_index WHERE indrelid = $1 ORDER BY indexrelid::regclass::text"
)

TRIGGERS = (
    "SELECT pg_get_triggerdef(oid) AS line FROM pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal ORDER BY tgname"
)

PRIVILEGES = """
SELECT grantee::regrole::text || ' may ' || string_agg(privilege_type, ', ' ORDER BY privilege_type) AS line
  FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner)))
 WHERE c.oid = $1 AND grantee <> c.relowner
 GROUP BY grantee ORDER BY 1
"""

OTHERS = """
SELECT relkind::text || ' ' || relname AS line FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('r', 'p', 'i') ORDER BY relname
"""

FUNCTIONS = """
SELECT format('%s, owned by %s%s%s%s', proname, pg_get_userbyid(proowner),
              CASE WHEN prosecdef THEN ', as its owner' END, ', set ' || array_to_string(proconfig, ' and '),
              (SELECT ', executed by ' || string_agg(CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                                                     ', ' ORDER BY grantee)
                 FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee <> proowner)) AS line
  FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY proname
"""


async def describe(dsn: str) -> str:
    """Describe the schema `public`, with equal text on every supported PostgreSQL version."""
    async with connect(dsn) as connection:
        lines: list[str] = []
        for table in await connection.fetch(TABLES):
            options = f" with {', '.join(table['options'])}" if table["options"] else ""
            lines += [f"table {table['name']}, owned by {table['owner']}{options}"]
            lines += [f"    -- {table['comment']}"] if table["comment"] else []
            for column in await connection.fetch(COLUMNS, table["oid"]):
                comment = f"  -- {column['comment']}" if column["comment"] else ""
                lines.append(f"    column {column['line']}{comment}")
            for kind, query in (
                ("constraint", CONSTRAINTS),
                ("index", INDEXES),
                ("trigger", TRIGGERS),
                ("grant", PRIVILEGES),
            ):
                lines += [f"    {kind} {row['line']}" for row in await connection.fetch(query, table["oid"])]
            lines.append("")
        for kind, query in (("relation", OTHERS), ("function", FUNCTIONS)):
            lines += [f"{kind} {row['line']}" for row in await connection.fetch(query)]
        return "\n".join(lines).rstrip()
