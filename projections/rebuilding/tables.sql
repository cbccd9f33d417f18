-- name: live_schema
-- The schema of the ledger's tables, also quoted; no row if there is no ledger.
SELECT n.nspname AS name, quote_ident(n.nspname) AS quoted
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = to_regclass('projection_builds');

-- name: make
-- The statements that create a copy of table $2 of schema $1 in schema $3: columns, checks, options, keys, comments and
-- privileges. The other indexes follow later.
WITH live AS (
    SELECT c.oid, c.relowner, c.relacl, c.reloptions, obj_description(c.oid, 'pg_class') AS comment,
           format('%I.%I', $3::text, $2::text) AS made
      FROM pg_class c
     WHERE c.oid = to_regclass(format('%I.%I', $1::text, $2::text))
)
SELECT 1 AS step, format('CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING INDEXES)', made, oid::regclass) AS statement
  FROM live
UNION ALL
SELECT 2, format('ALTER TABLE %s SET (%s)', made, array_to_string(reloptions, ', '))
  FROM live WHERE reloptions IS NOT NULL
UNION ALL
SELECT 3, format('COMMENT ON TABLE %s IS %L', made, comment)
  FROM live WHERE comment IS NOT NULL
UNION ALL
SELECT 4, format('ALTER TABLE %s ADD CONSTRAINT %I %s', live.made, k.conname, pg_get_constraintdef(k.oid))
  FROM live JOIN pg_constraint k ON k.conrelid = live.oid AND k.contype IN ('p', 'u', 'x')
UNION ALL
SELECT 5, format('GRANT %s ON %s TO %s', string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), live.made,
                 CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
  FROM live, aclexplode(live.relacl) a
 WHERE $3 <> 'pg_temp' AND a.grantee <> live.relowner
 GROUP BY live.made, a.grantee
 ORDER BY step, statement;

-- name: make_indexes
-- The names of the indexes of table $2 of schema $1 that schema $3 lacks, and the statements that create them.
SELECT i.relname AS name,
       format('CREATE %sINDEX %I ON %I.%I USING %s', CASE WHEN x.indisunique THEN 'UNIQUE ' END, i.relname, $3::text,
              $2::text, substring(pg_get_indexdef(i.oid) FROM ' USING (.*)$')) AS statement
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
 WHERE x.indrelid = to_regclass(format('%I.%I', $1::text, $2::text))
   AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x'))
   AND to_regclass(format('%I.%I', $3, i.relname)) IS NULL
 ORDER BY i.relname;

-- name: shape
-- The columns of a table as text, to compare with another table.
SELECT string_agg(format('%s %s %s', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull), ', '
                  ORDER BY a.attnum) AS columns
  FROM pg_attribute a
 WHERE a.attrelid = to_regclass(format('%I.%I', $1::text, $2::text)) AND a.attnum > 0 AND NOT a.attisdropped;

-- name: views_on
-- Views that read one of these tables of schema $1.
SELECT DISTINCT v.oid::regclass::text AS name
  FROM unnest($2::text[]) AS t (name)
  JOIN pg_depend d ON d.refobjid = to_regclass(format('%I.%I', $1::text, t.name)) AND d.classid = 'pg_rewrite'::regclass
  JOIN pg_rewrite r ON r.oid = d.objid
  JOIN pg_class v ON v.oid = r.ev_class
 WHERE v.oid <> d.refobjid
 ORDER BY name;

-- name: not_owned
-- Which of these tables of schema $1 the present role may not alter.
SELECT t.name
  FROM unnest($2::text[]) AS t (name)
  LEFT JOIN pg_class c ON c.oid = to_regclass(format('%I.%I', $1::text, t.name))
 WHERE c.oid IS NULL OR NOT pg_has_role(c.relowner, 'USAGE')
 ORDER BY t.name;

-- name: key
-- The columns of a table's primary key.
SELECT a.attname AS name
  FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
 WHERE k.conrelid = to_regclass(format('%I.%I', $1::text, $2::text)) AND k.contype = 'p'
 ORDER BY array_position(k.conkey, a.attnum);

-- name: move
-- The statement that moves table $2 of schema $1, with its indexes and constraints, to schema $3.
SELECT format('ALTER TABLE %I.%I SET SCHEMA %I', $1::text, $2::text, $3::text);

-- name: lock
-- The statement that locks these tables of schema $1 against every reader and writer.
SELECT format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', string_agg(format('%I.%I', $1::text, t.name), ', '))
  FROM unnest($2::text[]) AS t (name);

-- name: share
-- The statement that keeps these tables of schema $1 from being replaced until the transaction ends.
SELECT format('LOCK TABLE %s IN ACCESS SHARE MODE', string_agg(format('%I.%I', $1::text, t.name), ', '))
  FROM unnest($2::text[]) AS t (name);

-- name: analyze
-- The statement that analyzes a table.
SELECT format('ANALYZE %I.%I', $1::text, $2::text);

-- name: quoted
-- An identifier, quoted if necessary.
SELECT quote_ident($1::text);

-- name: compare
-- The statement that compares table $2 of schema $1 with table $4 of schema $3 by the primary key of the latter and over
-- all columns: rows that differ or exist on one side only, and their count. $5 names the stream column, to compare some
-- streams only. $6 names the expiry column: an expired row may be missing on the second side.
SELECT format(
    'SELECT count(*) OVER () AS count, to_jsonb(a) AS before, to_jsonb(b) AS after
       FROM (SELECT * FROM %1$I.%3$I WHERE ($1::integer IS NULL OR log_id = $1) AND %6$s) a
       FULL JOIN (SELECT * FROM %2$I.%4$I WHERE ($1::integer IS NULL OR log_id = $1) AND %6$s) b USING (%5$s)
      WHERE ROW(a.*) IS DISTINCT FROM ROW(b.*) AND (%7$s) IS NOT TRUE
      ORDER BY %5$s
      LIMIT $2',
    $1::text, $3::text, $2::text, $4::text,
    string_agg(format('%I', k.attname), ', ' ORDER BY array_position(c.conkey, k.attnum)),
    CASE WHEN $5::text IS NULL THEN '$3::uuid[] IS NULL' ELSE format('%I = ANY ($3::uuid[])', $5) END,
    CASE WHEN $6::text IS NULL THEN 'false AND $4::bigint IS NULL' ELSE format('b IS NULL AND a.%I <= $4', $6) END)
  FROM pg_constraint c JOIN pg_attribute k ON k.attrelid = c.conrelid AND k.attnum = ANY (c.conkey)
 WHERE c.conrelid = to_regclass(format('%I.%I', $3, $4)) AND c.contype = 'p';

-- name: bytes
-- The size of the tables of schema $1 on disk, with their indexes.
SELECT coalesce(sum(pg_total_relation_size(to_regclass(format('%I.%I', $1::text, t.name)))), 0)::bigint
  FROM unnest($2::text[]) AS t (name);

-- name: copy
-- The statement that copies a temporary table.
SELECT format('CREATE TABLE pg_temp.%I AS TABLE pg_temp.%I', $2::text, $1::text);
