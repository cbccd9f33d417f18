package tokenledger.peer;

import org.springframework.jdbc.core.JdbcOperations;
import org.springframework.security.oauth2.server.authorization.JdbcOAuth2AuthorizationService;
import org.springframework.security.oauth2.server.authorization.OAuth2Authorization;
import org.springframework.security.oauth2.server.authorization.OAuth2TokenType;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClientRepository;
import org.springframework.transaction.annotation.Transactional;

/**
 * One connection for each call. Outside of a transaction an authorization that is read holds its connection while the
 * client that it belongs to is read over another, and a pool whose connections are all held so comes to a standstill.
 *
 * <p>The methods are here because the annotation says nothing of those that are inherited.
 */
@Transactional
class TransactionalAuthorizations extends JdbcOAuth2AuthorizationService {

    TransactionalAuthorizations(JdbcOperations database, RegisteredClientRepository clients) {
        super(database, clients);
    }

    @Override
    public void save(OAuth2Authorization authorization) {
        super.save(authorization);
    }

    @Override
    public void remove(OAuth2Authorization authorization) {
        super.remove(authorization);
    }

    @Override
    public OAuth2Authorization findById(String id) {
        return super.findById(id);
    }

    @Override
    public OAuth2Authorization findByToken(String token, OAuth2TokenType type) {
        return super.findByToken(token, type);
    }
}
