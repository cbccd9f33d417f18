package tokenledger.peer;

import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.jdbc.core.JdbcOperations;
import org.springframework.security.crypto.password.PasswordEncoder;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.settings.OAuth2TokenFormat;
import org.springframework.security.oauth2.server.authorization.settings.TokenSettings;

@Configuration
class Persistence {

    @Bean
    CachedClients clients(JdbcOperations database, PasswordEncoder secrets, Peer peer) {
        var clients = new CachedClients(database);
        for (var client : peer.clients()) {
            clients.save(RegisteredClient.withId(client.id())
                    .clientId(client.id())
                    .clientSecret(secrets.encode(client.secret()))
                    .clientAuthenticationMethod(ClientAuthenticationMethod.CLIENT_SECRET_BASIC)
                    .clientAuthenticationMethod(ClientAuthenticationMethod.CLIENT_SECRET_POST)
                    .authorizationGrantType(AuthorizationGrantType.CLIENT_CREDENTIALS)
                    .scopes(scopes -> scopes.addAll(client.scopes()))
                    .tokenSettings(TokenSettings.builder()
                            .accessTokenFormat(OAuth2TokenFormat.REFERENCE)
                            .accessTokenTimeToLive(peer.tokenLifetime())
                            .build())
                    .build());
        }
        return clients;
    }

    @Bean
    TransactionalAuthorizations authorizations(JdbcOperations database, RegisteredClientRepository clients) {
        return new TransactionalAuthorizations(database, clients);
    }
}
