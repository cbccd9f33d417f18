package tokenledger.peer;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.springframework.boot.context.properties.ConfigurationProperties;

/** What the benchmark decides. */
@ConfigurationProperties("peer")
record Peer(String secretEncoding, Duration tokenLifetime, List<Client> clients) {

    record Client(String id, String secret, Set<String> scopes) {}
}
