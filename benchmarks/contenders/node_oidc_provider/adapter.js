// The storage of oidc-provider: one table for all models; each connection prepares each statement once.

import pg from 'pg';

const COLUMNS = 'payload, consumed_at';

const statements = {
  upsert: `
    INSERT INTO oidc_payloads (id, type, payload, grant_id, user_code, uid, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (id, type) DO UPDATE SET payload = EXCLUDED.payload, grant_id = EXCLUDED.grant_id,
      user_code = EXCLUDED.user_code, uid = EXCLUDED.uid, expires_at = EXCLUDED.expires_at`,
  find: `SELECT ${COLUMNS} FROM oidc_payloads WHERE id = $1 AND type = $2`,
  findByUserCode: `SELECT ${COLUMNS} FROM oidc_payloads WHERE user_code = $1 AND type = $2`,
  findByUid: `SELECT ${COLUMNS} FROM oidc_payloads WHERE uid = $1 AND type = $2`,
  destroy: 'DELETE FROM oidc_payloads WHERE id = $1 AND type = $2',
  consume: 'UPDATE oidc_payloads SET consumed_at = now() WHERE id = $1 AND type = $2',
  revokeByGrantId: 'DELETE FROM oidc_payloads WHERE grant_id = $1 AND type = $2',
};

export function postgresqlAdapter({ connectionString, connections }) {
  const pool = new pg.Pool({ connectionString, max: connections, idleTimeoutMillis: 0 });
  pool.on('error', (error) => console.error(error.message));

  return class PostgresqlAdapter {
    constructor(model) {
      this.model = model;
    }

    async upsert(id, payload, expiresIn) {
      const expiresAt = expiresIn ? new Date(Date.now() + expiresIn * 1000) : null;
      const { grantId, userCode, uid } = payload;
      const values = [id, this.model, JSON.stringify(payload), grantId, userCode, uid, expiresAt];
      await pool.query({ name: 'upsert', text: statements.upsert, values });
    }

    find(id) {
      return this.#found('find', id);
    }

    findByUserCode(userCode) {
      return this.#found('findByUserCode', userCode);
    }

    findByUid(uid) {
      return this.#found('findByUid', uid);
    }

    destroy(id) {
      return this.#run('destroy', id);
    }

    consume(id) {
      return this.#run('consume', id);
    }

    revokeByGrantId(grantId) {
      return this.#run('revokeByGrantId', grantId);
    }

    async #found(name, key) {
      const { rows: [row] } = await this.#run(name, key);
      if (!row) return undefined;
      return row.consumed_at ? { ...row.payload, consumed: true } : row.payload;
    }

    #run(name, key) {
      return pool.query({ name, text: statements[name], values: [key, this.model] });
    }
  };
}
