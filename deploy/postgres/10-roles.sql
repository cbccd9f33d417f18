-- Creates the three roles of the ledger. The PostgreSQL image runs it once, when its volume is empty.
--
-- token_ledger_owner owns the tables and runs the migrations. The service connects as token_ledger_service, which can read
-- and call functions, and its followers as token_ledger_projector, which writes catch-up projections.

\set ON_ERROR_STOP on
\getenv owner_password OWNER_PASSWORD
\getenv service_password SERVICE_PASSWORD
\getenv projector_password PROJECTOR_PASSWORD

-- Otherwise the server would log a failing statement with its password.
SET log_min_error_statement = 'panic';

CREATE ROLE token_ledger_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE token_ledger_service LOGIN PASSWORD :'service_password';
CREATE ROLE token_ledger_projector LOGIN PASSWORD :'projector_password';

-- The owner of the database also owns its public schema (PostgreSQL 15 and later).
ALTER DATABASE token_ledger OWNER TO token_ledger_owner;
REVOKE ALL ON DATABASE token_ledger FROM PUBLIC;
GRANT CONNECT ON DATABASE token_ledger TO token_ledger_service, token_ledger_projector;
