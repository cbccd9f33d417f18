"""node-oidc-provider, of the npm registry."""

from benchmarks.contenders.node_oidc_provider.contender import NodeOidcProvider

CONTENDER = NodeOidcProvider()
