"""`serve` refuses to start, before it changes anything."""

import socket

import pytest
from service_process import Credentials, run_command, run_json_command

WRONG = ("serve", "--port", "0")


def test_serve_is_refused_with_a_remedy_when_the_port_is_in_use(database):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run_command("serve", "--dsn", database.service_dsn, "--port", str(port))
    assert done.returncode == 1
    assert f"error: port {port} of 127.0.0.1 is in use" in done.stderr
    assert "--port (TOKEN_LEDGER_PORT" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("role", ["owner_dsn", "superuser_dsn"])
def test_serve_is_refused_when_the_role_could_change_the_log(database, role):
    done = run_command(*WRONG, "--dsn", getattr(database, role))
    assert done.returncode == 1
    assert "could change recorded events: connect as the service's role, or accept the risk" in done.stderr
    assert "--allow-mutable-log (TOKEN_LEDGER_ALLOW_MUTABLE_LOG)" in done.stderr


def test_serve_accepts_the_owner_when_told_to(database, start):
    service = start("--demo", "--allow-mutable-log", "--dsn", database.owner_dsn).wait_until_ready()
    assert service.stop() == 0


def test_demo_checks_every_issuer_before_the_first_change(database, add_client):
    issuers = "http://localhost/first,http://localhost/second"
    add_client("billing", "http://localhost/second")
    done = run_command(*WRONG, "--demo", "--dsn", database.service_dsn, "--issuers", issuers)
    assert done.returncode == 1
    assert "issuer http://localhost/second has 1 client (billing) not from --demo" in done.stderr
    there = ("clients", "list", "--dsn", database.service_dsn, "--issuers", issuers, "--issuer", "/first")
    assert run_json_command(*there) == []


def test_serve_is_refused_until_demo_clients_are_disabled(demo, start, database):
    assert demo.stop() == 0
    done = run_command(*WRONG, "--dsn", database.service_dsn)
    assert done.returncode == 1
    assert "3 clients (auditor, service-client-jwt, user-client-opaque) from --demo" in done.stderr
    for client_id in ("auditor", "service-client-jwt", "user-client-opaque"):
        assert f"token-ledger clients disable {client_id}" in done.stderr
        assert run_command("clients", "disable", client_id, "--dsn", database.service_dsn).returncode == 0
    service = start("--dsn", database.service_dsn).wait_until_ready()
    answer = service.post("token", Credentials("auditor", "auditor-secret").form | {"grant_type": "client_credentials"})
    assert answer.status == 401


def test_serve_migrate_is_a_usage_error_without_the_owner_dsn(database):
    done = run_command(*WRONG, "--migrate", "--dsn", database.service_dsn)
    assert done.returncode == 2
    assert "--migrate needs the owner's DSN: give --owner-dsn (TOKEN_LEDGER_OWNER_DSN)" in done.stderr
