import shlex

import pytest

from api.operations.demo import (
    CAUSE,
    DEMO_CLIENTS,
    DemoRefused,
    format_example_requests,
    refuse_demo_clients,
    register_demo_clients,
)
from ledger.domain.events import ClientSettings

IDS = ["user-client-opaque", "service-client-jwt", "auditor"]


@pytest.fixture
def register(memory):
    return lambda: memory.run(register_demo_clients(memory.issuer()))


def test_demo_clients_match_the_reference_exchange():
    user, resource_server, auditor = DEMO_CLIENTS
    assert [c.client_id for c in DEMO_CLIENTS] == IDS
    assert user.settings.scopes == ("country.read", "customer.read", "customer.write")
    assert (user.settings.access_token_lifetime, user.settings.token_format) == (14400, "opaque")
    assert resource_server.settings.introspection == "issuer"
    assert auditor.settings.scopes == ("audit.read",)
    assert all(c.settings.demo for c in DEMO_CLIENTS)


def test_second_registration_changes_nothing(register, memory):
    assert register() == IDS
    before = len(memory.events())
    assert register() == []
    assert len(memory.events()) == before


def test_registration_restores_settings_but_not_disabled_clients(register, memory):
    register()
    issuer = memory.issuer()
    changed = ClientSettings(name="Changed", demo=True)
    memory.run(issuer.registry.update("auditor", changed, CAUSE))
    memory.run(issuer.registry.disable("auditor", "enough", CAUSE))
    assert register() == ["auditor"]
    assert memory.client("auditor").settings == DEMO_CLIENTS[2].settings
    assert not memory.client("auditor").enabled


def test_registration_succeeds_when_secrets_were_rotated(register, memory):
    register()
    registry = memory.issuer().registry
    first = memory.client("auditor").secrets[0].secret_id
    memory.run(registry.retire_secret("auditor", first, CAUSE))
    for _ in range(2):
        memory.run(registry.add_generated_secret("auditor", CAUSE))
    assert register() == []


def test_registration_is_refused_when_there_are_real_clients(register, memory):
    memory.run(memory.issuer().registry.register("billing", ClientSettings(name="Billing"), CAUSE))
    with pytest.raises(DemoRefused, match=r"1 client \(billing\) not from --demo"):
        register()
    assert [c.client_id for c in memory.run(memory.issuer().clients.list_all())] == ["billing"]


def test_enabled_demo_clients_are_refused_with_the_remedy(register, memory):
    register()
    issuer = memory.issuer()
    with pytest.raises(DemoRefused) as refused:
        refuse_demo_clients(issuer, memory.run(issuer.clients.list_all()))
    for client_id in IDS:
        assert f"token-ledger clients disable {client_id} --issuer {issuer.identifier.url}" in str(refused.value)
        memory.run(issuer.registry.disable(client_id, "no demo", CAUSE))
    refuse_demo_clients(issuer, memory.run(issuer.clients.list_all()))


def test_first_printed_request_matches_the_reference_exchange():
    shown = format_example_requests("http://localhost:8085/ms-auth-server")
    request = shown.split("TOKEN=$(")[1].split("|")[0].rstrip("\n\\ ").replace("\\\n", "")
    assert shlex.split(request) == shlex.split(
        """
        curl --silent --location --request POST 'http://localhost:8085/ms-auth-server/oauth2/token' \
        --header 'Content-Type: application/x-www-form-urlencoded' \
        --data-urlencode 'grant_type=client_credentials' \
        --data-urlencode 'client_id=user-client-opaque' \
        --data-urlencode 'client_secret=user-client-secret' \
        --data-urlencode 'scope=country.read customer.read customer.write'
        """
    )
