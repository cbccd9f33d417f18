// Only client_credentials, opaque tokens, and no development defaults.

const FOUR_HOURS = 4 * 60 * 60;

export function configuration({ adapter, clients, signingKey, cookieKey }) {
  return {
    adapter,
    clients,
    jwks: { keys: [signingKey] },
    cookies: { keys: [cookieKey] },
    clientAuthMethods: ['client_secret_basic', 'client_secret_post'],
    responseTypes: [],
    scopes: [...new Set(clients.flatMap(({ scope }) => scope?.split(' ') ?? []))],
    ttl: { ClientCredentials: FOUR_HOURS },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: mayIntrospect },
      resourceIndicators: { enabled: false },
      revocation: { enabled: true, allowedPolicy: mayRevoke },
      rpInitiatedLogout: { enabled: false },
      userinfo: { enabled: false },
    },
  };
}

// All clients are confidential, and each may be a resource server.
function mayIntrospect() {
  return true;
}

function mayRevoke(_context, client, token) {
  return token.clientId === client.clientId;
}
