-- Run once, by the PostgreSQL image, when its volume is empty: the two roles of the ledger.
--
-- token_ledger_owner owns the tables and runs the migrations. token_ledger_service is what the service connects as; the
-- migrations grant it what it needs, and that leaves out UPDATE, DELETE and TRUNCATE on event_log.

\set ON_ERROR_STOP on
\getenv owner_password OWNER_PASSWORD
\getenv service_password SERVICE_PASSWORD

-- A statement that fails would otherwise be written to the server's log, password and all.
SET log_min_error_statement = 'panic';

CREATE ROLE token_ledger_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE token_ledger_service LOGIN PASSWORD :'service_password';

-- Whoever owns the database owns its public schema too (PostgreSQL 15 and later).
ALTER DATABASE token_ledger OWNER TO token_ledger_owner;
REVOKE ALL ON DATABASE token_ledger FROM PUBLIC;
GRANT CONNECT ON DATABASE token_ledger TO token_ledger_service;
