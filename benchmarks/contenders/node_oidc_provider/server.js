// oidc-provider as a machine-to-machine authorization server: one Node.js process per worker, over PostgreSQL.
//
// Environment: DATABASE_URL, CONNECTIONS (per worker), PORT, WORKERS, and CLIENTS (JSON).

import cluster from 'node:cluster';
import { generateKeyPairSync, randomBytes } from 'node:crypto';

import Provider from 'oidc-provider';

import { postgresqlAdapter } from './adapter.js';
import { configuration } from './configuration.js';

const HOST = '127.0.0.1';
// Longer than the idle timeout of a proxy, so that the proxy closes connections first.
const KEEP_ALIVE_MS = 75_000;

function lead() {
  // All workers use the same keys.
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keys = {
    SIGNING_KEY: JSON.stringify({ ...privateKey.export({ format: 'jwk' }), use: 'sig', kid: 'signing' }),
    COOKIE_KEY: randomBytes(32).toString('base64url'),
  };
  for (let worker = 0; worker < Number(process.env.WORKERS); worker += 1) cluster.fork(keys);

  let stopping = false;
  process.on('SIGTERM', () => {
    stopping = true;
    Object.values(cluster.workers).forEach((worker) => worker.kill());
  });
  cluster.on('exit', () => {
    if (!stopping) cluster.fork(keys);
    else if (Object.keys(cluster.workers).length === 0) process.exit(0);
  });
}

function work() {
  const { DATABASE_URL, CONNECTIONS, PORT, CLIENTS, SIGNING_KEY, COOKIE_KEY } = process.env;
  const provider = new Provider(`http://${HOST}:${PORT}`, configuration({
    adapter: postgresqlAdapter({ connectionString: DATABASE_URL, connections: Number(CONNECTIONS) }),
    clients: JSON.parse(CLIENTS),
    signingKey: JSON.parse(SIGNING_KEY),
    cookieKey: COOKIE_KEY,
  }));
  provider.on('server_error', (_context, error) => console.error(error));
  const server = provider.listen(Number(PORT), HOST);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
}

if (cluster.isPrimary) lead();
else work();
