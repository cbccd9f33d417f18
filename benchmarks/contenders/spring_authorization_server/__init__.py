"""Spring Authorization Server, of Maven Central."""

from benchmarks.contenders.spring_authorization_server.contender import SpringAuthorizationServer

CONTENDER = SpringAuthorizationServer()
