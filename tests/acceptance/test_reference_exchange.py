"""The four requests of the reference exchange, sent with curl, verbatim except for port and token."""

import json
import re
import shutil
import subprocess

import pytest

TOKEN = """
curl --location --request POST 'http://localhost:8085/ms-auth-server/oauth2/token' \\
--header 'Content-Type: application/x-www-form-urlencoded' \\
--data-urlencode 'grant_type=client_credentials' \\
--data-urlencode 'client_id=user-client-opaque' \\
--data-urlencode 'client_secret=user-client-secret' \\
--data-urlencode 'scope=country.read customer.read customer.write'
"""
INTROSPECT = """
curl --location --request POST 'http://localhost:8085/ms-auth-server/oauth2/introspect' \\
--header 'Content-Type: application/x-www-form-urlencoded' \\
--data-urlencode 'client_id=service-client-jwt' \\
--data-urlencode 'client_secret=service-client-jwt-secret' \\
--data-urlencode 'token=@TOKEN@'
"""
REVOKE = """
curl --location --request POST 'http://localhost:8085/ms-auth-server/oauth2/revoke' \\
--header 'content-type: application/x-www-form-urlencoded' \\
--data-urlencode 'client_id=user-client-opaque' \\
--data-urlencode 'client_secret=user-client-secret' \\
--data-urlencode 'token=@TOKEN@'
"""


def shell(script: str) -> str:
    assert shutil.which("curl"), "curl is not installed: install it to run these tests"
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def curl(demo):
    def run(request: str, token: str = "") -> str:
        request = request.replace(":8085", f":{demo.port}").replace("@TOKEN@", token)
        return shell(request.strip() + " --silent --show-error --fail-with-body")

    return run


def test_reference_exchange_works_verbatim(curl, demo):
    issued = json.loads(curl(TOKEN))
    token = issued["access_token"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{128}", token)
    assert set(issued.pop("scope").split()) == {"country.read", "customer.read", "customer.write"}
    assert issued.items() >= {"token_type": "Bearer"}.items()
    assert 14_000 < issued["expires_in"] <= 14_400

    shown = json.loads(curl(INTROSPECT, token))
    assert shown["active"] is True
    assert shown["sub"] == shown["client_id"] == "user-client-opaque"
    assert shown["aud"] == ["user-client-opaque"]
    assert shown["iss"] == f"http://localhost:{demo.port}/ms-auth-server"
    assert shown["exp"] - shown["iat"] == 14400
    assert shown["nbf"] == shown["iat"]
    assert shown["token_type"] == "Bearer"

    assert curl(REVOKE, token) == ""
    assert json.loads(curl(INTROSPECT, token)) == {"active": False}


def test_commands_printed_at_start_work_when_pasted(demo):
    commands = demo.stdout[demo.stdout.index("# 1.") :]
    active, revoked, inactive = shell(commands).splitlines()
    assert json.loads(active)["active"] is True
    assert revoked == "HTTP 200"
    assert json.loads(inactive) == {"active": False}


def test_demo_auditor_gets_its_scope_when_requested(demo):
    form = {"client_id": "auditor", "client_secret": "auditor-secret", "grant_type": "client_credentials"}
    assert demo.post("token", form | {"scope": "audit.read"}).json["scope"] == "audit.read"
