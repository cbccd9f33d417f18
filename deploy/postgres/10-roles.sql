-- Creates the two roles of the ledger. The PostgreSQL image runs it once, when its volume is empty.
--
-- token_ledger_owner owns the tables and runs the migrations. The service connects as token_ledger_service; the
-- migrations grant its privileges, which do not include UPDATE, DELETE and TRUNCATE on event_log.

\set ON_ERROR_STOP on
\getenv owner_password OWNER_PASSWORD
\getenv service_password SERVICE_PASSWORD

-- Otherwise the server would log a failing statement with its password.
SET log_min_error_statement = 'panic';

CREATE ROLE token_ledger_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE token_ledger_service LOGIN PASSWORD :'service_password';

-- The owner of the database also owns its public schema (PostgreSQL 15 and later).
ALTER DATABASE token_ledger OWNER TO token_ledger_owner;
REVOKE ALL ON DATABASE token_ledger FROM PUBLIC;
GRANT CONNECT ON DATABASE token_ledger TO token_ledger_service;
