package tokenledger.peer;

import java.util.Map;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.http.SessionCreationPolicy;
import org.springframework.security.crypto.bcrypt.BCryptPasswordEncoder;
import org.springframework.security.crypto.password.DelegatingPasswordEncoder;
import org.springframework.security.crypto.password.MessageDigestPasswordEncoder;
import org.springframework.security.crypto.password.PasswordEncoder;
import org.springframework.security.web.SecurityFilterChain;

@Configuration
class Security {

    /** The protocol endpoints alone, for clients that are machines: no login page, no session. */
    @Bean
    SecurityFilterChain protocolEndpoints(HttpSecurity http) {
        return http
                .oauth2AuthorizationServer(server -> http.securityMatcher(server.getEndpointsMatcher()))
                .authorizeHttpRequests(requests -> requests.anyRequest().authenticated())
                .sessionManagement(session -> session.sessionCreationPolicy(SessionCreationPolicy.STATELESS))
                .build();
    }

    /**
     * Spring's own formats. A secret that is stored in another than this one is encoded anew when its client is next
     * authenticated, therefore the id is a setting and not only a prefix of what is stored.
     */
    @Bean
    @SuppressWarnings("deprecation") // it warns of passwords that people choose; a generated secret is none
    PasswordEncoder secrets(Peer peer) {
        return new DelegatingPasswordEncoder(peer.secretEncoding(), Map.of(
                "bcrypt", new BCryptPasswordEncoder(),
                "SHA-256", new MessageDigestPasswordEncoder("SHA-256")));
    }
}
