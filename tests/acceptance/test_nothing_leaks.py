"""No secret and no token appears in the output of the service, whatever requests it receives."""

from base64 import b64encode

import pytest
from service_process import Credentials


@pytest.mark.parametrize("flags", [("--log-format", "json"), ("--log-format", "console"), ("--workers", "2")])
def test_output_contains_no_secret_and_no_token(start, database, add_client, flags):
    app = add_client("billing", scopes=("invoice.read",))
    resource_server = add_client("rs", introspection="issuer")
    service = start("--dsn", database.service_dsn, "--log-level", "debug", *flags)
    service.wait_for(lambda: "server ready" in service.output, "it to be ready")
    token = app.request_token(service, scope="invoice.read")
    basic = b64encode(f"billing:{app.form['client_secret']}".encode()).decode()
    wrong = Credentials("billing", "a-wrong-secret-that-was-typed")
    secrets = [token, basic, *(client.form["client_secret"] for client in (app, resource_server, wrong))]
    assert resource_server.introspect(service, token)["active"]
    grant = {"grant_type": "client_credentials"}
    assert service.post("token", grant, {"Authorization": f"Basic {basic}"}).status == 200
    assert service.post("token", wrong.form | grant).status == 401
    assert service.post("token", app.form | grant | {"scope": token}).status == 400
    assert service.post("token", app.form | {"grant_type": token}).status == 400
    assert service.post("revoke", app.form | {"token": "nothing-like-" + token}).status == 200
    assert service.post(f"introspect?token={token}", resource_server.form).status == 400
    assert service.post("token", grant, {"Authorization": f"Bearer {token}"}).status in {400, 401}
    assert service.post("token", grant, {"X-Request-Id": token, "Authorization": "Basic !" + token}).status == 400
    assert service.get(f"/nowhere/{token}").status == 404
    assert service.get(f"/livez?access_token={token}").status == 200
    app.revoke(service, token)
    assert service.stop() == 0
    for secret in secrets:
        assert secret not in service.output
    assert "request" in service.output
