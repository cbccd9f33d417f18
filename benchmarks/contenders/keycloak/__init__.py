"""Keycloak, of Maven Central."""

from benchmarks.contenders.keycloak.contender import Keycloak

CONTENDER = Keycloak()
