"""Commands on the database of a running service: their changes take effect at once."""

from service_process import RESOURCE_SERVER, USER, run_command, run_json_command


def test_token_is_inactive_at_once_when_an_operator_revokes_it(demo, database):
    token = USER.request_token(demo)
    jti = RESOURCE_SERVER.introspect(demo, token)["jti"]
    done = run_command(
        "tokens", "revoke", jti, "--reason", "laptop stolen", "--actor", "ada", "--dsn", database.service_dsn
    )
    assert done.returncode == 0, done.stderr
    assert RESOURCE_SERVER.introspect(demo, token) == {"active": False}
    history = run_json_command("tokens", "history", jti, "--dsn", database.service_dsn)
    issued, revoked = history["events"]
    assert (issued["actor"], issued["remote_address"]) == ("client:user-client-opaque", "127.0.0.1")
    assert issued["request_id"]
    assert (revoked["actor"], revoked["data"]["reason"]) == ("operator:ada", "laptop stolen")
    assert revoked["position"] > issued["position"]


def test_commands_share_the_embedded_database_of_a_service(start, demo_folder):
    service = start("--demo", "--embedded", str(demo_folder)).wait_until_ready()
    listed = run_json_command("clients", "list", "--embedded", str(demo_folder))
    assert {client["client_id"] for client in listed} == {"auditor", "service-client-jwt", "user-client-opaque"}
    assert RESOURCE_SERVER.introspect(service, USER.request_token(service))["active"]
    examined = run_json_command("doctor", "--embedded", str(demo_folder))
    assert examined["healthy"]
    assert [f["check"] for f in examined["findings"] if f["level"] == "warning"] == ["demo clients"]


def test_migrate_applies_nothing_when_run_again(empty_database):
    words = ("migrate", "--owner-dsn", empty_database.owner_dsn)
    first, second = run_json_command(*words), run_json_command(*words)
    assert first["applied"]
    assert second == {"applied": [], "revision": first["revision"]}
