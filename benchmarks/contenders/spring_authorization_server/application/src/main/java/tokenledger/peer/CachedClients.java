package tokenledger.peer;

import org.springframework.cache.annotation.CacheEvict;
import org.springframework.cache.annotation.Cacheable;
import org.springframework.jdbc.core.JdbcOperations;
import org.springframework.security.oauth2.server.authorization.client.JdbcRegisteredClientRepository;
import org.springframework.security.oauth2.server.authorization.client.RegisteredClient;

/** Each request looks for its client two or three times, and clients seldom change. */
class CachedClients extends JdbcRegisteredClientRepository {

    CachedClients(JdbcOperations database) {
        super(database);
    }

    @Override
    @CacheEvict(cacheNames = {"clients by id", "clients by client id"}, allEntries = true)
    public void save(RegisteredClient client) {
        super.save(client);
    }

    @Override
    @Cacheable("clients by id")
    public RegisteredClient findById(String id) {
        return super.findById(id);
    }

    @Override
    @Cacheable("clients by client id")
    public RegisteredClient findByClientId(String clientId) {
        return super.findByClientId(clientId);
    }
}
