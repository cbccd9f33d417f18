package tokenledger.peer;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.cache.annotation.EnableCaching;

@SpringBootApplication
@EnableCaching
@EnableConfigurationProperties(Peer.class)
class Server {

    public static void main(String[] arguments) {
        SpringApplication.run(Server.class, arguments);
    }
}
