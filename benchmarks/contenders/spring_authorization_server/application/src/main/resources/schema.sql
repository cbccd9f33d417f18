-- Spring Authorization Server's schema, with the types that its comments ask for on PostgreSQL: text for blob and
-- timestamptz for timestamp.

CREATE TABLE IF NOT EXISTS oauth2_registered_client (
    id varchar(100) NOT NULL,
    client_id varchar(100) NOT NULL,
    client_id_issued_at timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL,
    client_secret varchar(200) DEFAULT NULL,
    client_secret_expires_at timestamptz DEFAULT NULL,
    client_name varchar(200) NOT NULL,
    client_authentication_methods varchar(1000) NOT NULL,
    authorization_grant_types varchar(1000) NOT NULL,
    redirect_uris varchar(1000) DEFAULT NULL,
    post_logout_redirect_uris varchar(1000) DEFAULT NULL,
    scopes varchar(1000) NOT NULL,
    client_settings varchar(2000) NOT NULL,
    token_settings varchar(2000) NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE IF NOT EXISTS oauth2_authorization (
    id varchar(100) NOT NULL,
    registered_client_id varchar(100) NOT NULL,
    principal_name varchar(200) NOT NULL,
    authorization_grant_type varchar(100) NOT NULL,
    authorized_scopes varchar(1000) DEFAULT NULL,
    attributes text DEFAULT NULL,
    state varchar(500) DEFAULT NULL,
    authorization_code_value text DEFAULT NULL,
    authorization_code_issued_at timestamptz DEFAULT NULL,
    authorization_code_expires_at timestamptz DEFAULT NULL,
    authorization_code_metadata text DEFAULT NULL,
    access_token_value text DEFAULT NULL,
    access_token_issued_at timestamptz DEFAULT NULL,
    access_token_expires_at timestamptz DEFAULT NULL,
    access_token_metadata text DEFAULT NULL,
    access_token_type varchar(100) DEFAULT NULL,
    access_token_scopes varchar(1000) DEFAULT NULL,
    oidc_id_token_value text DEFAULT NULL,
    oidc_id_token_issued_at timestamptz DEFAULT NULL,
    oidc_id_token_expires_at timestamptz DEFAULT NULL,
    oidc_id_token_metadata text DEFAULT NULL,
    refresh_token_value text DEFAULT NULL,
    refresh_token_issued_at timestamptz DEFAULT NULL,
    refresh_token_expires_at timestamptz DEFAULT NULL,
    refresh_token_metadata text DEFAULT NULL,
    user_code_value text DEFAULT NULL,
    user_code_issued_at timestamptz DEFAULT NULL,
    user_code_expires_at timestamptz DEFAULT NULL,
    user_code_metadata text DEFAULT NULL,
    device_code_value text DEFAULT NULL,
    device_code_issued_at timestamptz DEFAULT NULL,
    device_code_expires_at timestamptz DEFAULT NULL,
    device_code_metadata text DEFAULT NULL,
    PRIMARY KEY (id)
);

-- The schema leaves indexes to the operator. A token that comes without a hint is looked for in each of these columns
-- in one statement, so all of them need one, or the whole table is read. They are partial, so a row costs the index of
-- the one column that it fills.

CREATE UNIQUE INDEX IF NOT EXISTS oauth2_registered_client_client_id ON oauth2_registered_client (client_id);

CREATE INDEX IF NOT EXISTS oauth2_authorization_state
    ON oauth2_authorization (state) WHERE state IS NOT NULL;
CREATE INDEX IF NOT EXISTS oauth2_authorization_authorization_code
    ON oauth2_authorization (authorization_code_value) WHERE authorization_code_value IS NOT NULL;
CREATE INDEX IF NOT EXISTS oauth2_authorization_access_token
    ON oauth2_authorization (access_token_value) WHERE access_token_value IS NOT NULL;
CREATE INDEX IF NOT EXISTS oauth2_authorization_oidc_id_token
    ON oauth2_authorization (oidc_id_token_value) WHERE oidc_id_token_value IS NOT NULL;
CREATE INDEX IF NOT EXISTS oauth2_authorization_refresh_token
    ON oauth2_authorization (refresh_token_value) WHERE refresh_token_value IS NOT NULL;
CREATE INDEX IF NOT EXISTS oauth2_authorization_user_code
    ON oauth2_authorization (user_code_value) WHERE user_code_value IS NOT NULL;
CREATE INDEX IF NOT EXISTS oauth2_authorization_device_code
    ON oauth2_authorization (device_code_value) WHERE device_code_value IS NOT NULL;
