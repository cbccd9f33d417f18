"""The composition of the service: settings, composition root, counters, and the protocol that HTTP uses."""
