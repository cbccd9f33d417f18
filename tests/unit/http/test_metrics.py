"""`/metrics`, and the projections in `/readyz`."""

import asyncio
import os
import tempfile
from pathlib import Path

import pytest
from memory_service import MAIN, Caller, LedgerTestServer, MemoryService
from prometheus_client.parser import text_string_to_metric_families

from api.http.app import create_app
from api.http.instrumented_endpoint import DURATION_BUCKETS_SECONDS, RequestCounts
from api.http.metrics import endpoint
from api.http.metrics.catalogue import METRICS
from api.http.metrics.endpoint import PeerWorkers
from api.http.metrics.exposition import ProcessCounts, exposition
from api.service.running_service import ServiceCounts
from projections.expiry_sweep import SweepCounts
from projections.following.batches import FollowerCounts
from projections.following.status import STATES
from projections.view_check import ViewCheckResult
from tests.statuses import SKIP, status, stopped

ME = str(os.getpid())


class Scraped:
    """A scrape: `scraped(name, label=…)` is a value or None."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str):
        return self.samples.get((f"token_ledger_{name}", frozenset(labels.items())))


async def scrape(http) -> Scraped:
    response = await http.get("/metrics")
    text = await response.text()
    assert response.status == 200, text
    return Scraped(text)


async def test_metrics_are_prometheus_text_and_not_stored(http):
    response = await http.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert response.headers["Cache-Control"] == "no-store"
    assert (await http.head("/metrics")).status == 200


async def test_requests_are_counted_by_endpoint_issuer_and_status(http, caller: Caller, other: Caller):
    await caller.token()
    await caller.token()
    await other.token()
    await caller.post("token", secret="wrong", grant_type="client_credentials")
    await http.get("/no/such/path")
    await http.put("/livez")
    found = await scrape(http)
    requests = "http_requests_total"
    main, second = ({"issuer": issuer, "process": ME} for issuer in ("ms-auth-server", "other"))
    assert found(requests, endpoint="token", status="200", **main) == 2
    assert found(requests, endpoint="token", status="401", **main) == 1
    assert found(requests, endpoint="token", status="200", **second) == 1
    assert found(requests, endpoint="none", issuer="", status="404", process=ME) == 1
    assert found(requests, endpoint="livez", issuer="", status="405", process=ME) == 1
    assert found("http_request_duration_seconds_count", endpoint="token", **main) == 3
    assert found("http_request_duration_seconds_bucket", endpoint="token", le="+Inf", **main) == 3
    assert found("http_request_duration_seconds_sum", endpoint="token", **main) > 0


async def test_appends_are_counted_by_log_and_outcome(http, caller: Caller):
    before = (await scrape(http))("events_appended_total", log="ms-auth-server", process=ME)
    token = await caller.token()
    await caller.post("revoke", token=token)
    found = await scrape(http)
    assert found("events_appended_total", log="ms-auth-server", process=ME) == before + 2
    assert found("appends_total", log="ms-auth-server", outcome="recorded", process=ME) == before + 2
    assert found("append_batch_size_sum", log="ms-auth-server", process=ME) == before + 2
    assert found("append_batch_size_bucket", log="ms-auth-server", process=ME, le="1.0") == before + 2
    assert found("appends_waiting", log="ms-auth-server", process=ME) == 0


async def test_stopped_projection_shows_its_error_without_event_data(http, service):
    service.statuses = [status(log="other", skips=[SKIP]), stopped()]
    found = await scrape(http)
    which = {"projection": "token_history", "log": "main"}
    assert found("log_head_position", log="main") == 42
    assert found("projection_position", **which) == 40
    assert found("projection_lag_events", **which) == 2
    assert found("projection_lag_seconds", **which) == 0.25
    states = {state: found("projection_state", state=state, **which) for state in STATES}
    assert states == dict.fromkeys(STATES, 0) | {"stopped": 1}
    error = {"topic": "token.revoked", "error": "RevokedBeforeIssued"}
    assert found("projection_stopped_position", **which, **error) == 41
    assert found("projection_skipped_events", projection="token_history", log="other") == 1
    assert "7f" not in await (await http.get("/metrics")).text()


async def test_metrics_respond_200_when_database_is_unreachable(http, service, caller: Caller):
    await caller.token()
    service.statuses = None
    found = await scrape(http)
    assert found("database_up") == 0
    assert found("http_requests_total", endpoint="token", issuer="ms-auth-server", status="200", process=ME) == 1
    service.statuses = []
    assert (await scrape(http))("database_up") == 1


def test_exposition_has_exactly_the_metrics_of_the_catalogue():
    counts = RequestCounts("token", "main")
    counts.add(200, 0.1)
    service = MemoryService(MAIN).counts()
    followers = [FollowerCounts("token_history", "main")]
    process = ProcessCounts(7, ServiceCounts(service.logs, followers), [counts])
    found = Scraped(exposition("1.0", [process], [stopped()], 12.5, [ViewCheckResult("main", 10, 0)]).decode())
    shown = {}
    for family in found.families.values():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        for sample in family.samples:
            shown.setdefault((name, family.type, family.documentation), set()).add(frozenset(sample.labels) - {"le"})
    assert shown == {(m.name, m.kind, m.help): {frozenset(m.labels)} for m in METRICS}


async def test_sweep_is_counted_per_process_and_has_one_lag(http, service):
    service.lag = 754.5
    found = await scrape(http)
    assert found("sweep_rows_deleted_total", process=ME) == 0
    assert found("sweep_batches_total", process=ME) == 0
    assert found("sweep_lag_seconds") == 754.5
    swept = ServiceCounts(sweep=SweepCounts(rows=70, steps=3))
    others = Scraped(exposition("1.0", [ProcessCounts(7, swept)], None).decode())
    assert (others("sweep_rows_deleted_total", process="7"), others("sweep_batches_total", process="7")) == (70, 3)
    assert others("sweep_lag_seconds") is None  # while the database is away


async def test_verification_is_in_metrics_and_readyz(http, service):
    service.verified = [
        ViewCheckResult("main", 900, 2, ("clients shop: differs in document",), 60.0004),
        ViewCheckResult("other", 10, 0),
    ]
    found = await scrape(http)
    metrics = ("verification_rows_total", "verification_differences", "verification_age_seconds")
    assert [found(name, log="main") for name in metrics] == [900, 2, 60.0004]
    assert [found(name, log="other") for name in metrics] == [10, 0, float("inf")]
    response = await http.get("/readyz")
    assert response.status == 200, "a difference does not turn readiness off"
    assert (await response.json())["verification"] == [
        {"log": "main", "rows": 900, "differences": 2, "age_seconds": 60.0},
        {"log": "other", "rows": 10, "differences": 0, "age_seconds": None},
    ]


def test_durations_count_in_the_first_bucket_that_holds_them():
    counts = RequestCounts("token", "main")
    for seconds in (
        0.0,
        DURATION_BUCKETS_SECONDS[0],
        DURATION_BUCKETS_SECONDS[0] + 1e-9,
        DURATION_BUCKETS_SECONDS[-1],
        1e6,
    ):
        counts.add(200, seconds)
    assert counts.durations[:2] == [2, 1]
    assert counts.durations[-2:] == [1, 1]
    found = Scraped(exposition("1.0", [ProcessCounts(7, ServiceCounts(), [counts])], None).decode())
    labels = {"endpoint": "token", "issuer": "main", "process": "7"}
    assert found("http_request_duration_seconds_bucket", le="0.001", **labels) == 2
    assert found("http_request_duration_seconds_bucket", le="10.0", **labels) == 4
    assert found("http_request_duration_seconds_bucket", le="+Inf", **labels) == 5


class TestReadiness:
    async def test_stays_ready_when_a_projection_is_stopped(self, http, service):
        service.statuses = [stopped()]
        response = await http.get("/readyz")
        assert response.status == 200
        assert await response.json() == {
            "status": "ready",
            "projections": [
                {
                    "log": "main",
                    "projection": "token_history",
                    "state": "stopped",
                    "position": 40,
                    "head": 42,
                    "lag_seconds": 0.25,
                    "stopped_at": 41,
                }
            ],
            "verification": [],
        }

    async def test_responds_503_when_database_becomes_unreachable(self, http, service):
        service.statuses = None
        response = await http.get("/readyz")
        assert response.status == 503
        assert (await response.json())["problems"] == ["The database is away."]


async def test_metrics_and_projections_are_hidden_when_switched_off(service, aiohttp_client):
    http = await aiohttp_client(LedgerTestServer(create_app(service, metrics=False)))
    assert (await http.get("/metrics")).status == 404
    assert await (await http.get("/readyz")).json() == {"status": "ready"}


class TestPeerWorkers:
    @pytest.fixture
    def folder(self):
        # A socket path must be short.
        with tempfile.TemporaryDirectory(prefix="worker_socket_dir-") as name:
            yield Path(name)

    @pytest.fixture
    async def sibling(self, folder, monkeypatch):
        """Another worker process, with 5 requests."""
        counts = RequestCounts("token", "ms-auth-server")
        for _ in range(5):
            counts.add(200, 0.01)
        monkeypatch.setattr(endpoint.os, "getpid", lambda: 1)
        made = PeerWorkers(folder, lambda: ProcessCounts(1, ServiceCounts(), [counts]))
        monkeypatch.undo()
        await made.listen()
        yield made
        await made.close()

    @pytest.fixture
    async def http(self, service, folder, aiohttp_client):
        return await aiohttp_client(LedgerTestServer(create_app(service, worker_socket_dir=folder)))

    async def test_scrape_covers_all_processes(self, http, caller: Caller, sibling):
        await caller.token()
        found = await scrape(http)
        which = {"endpoint": "token", "issuer": "ms-auth-server", "status": "200"}
        assert found("http_requests_total", process=ME, **which) == 1
        assert found("http_requests_total", process="1", **which) == 5

    async def test_counts_are_complete_when_fetched(self, folder, service, caller: Caller, http, sibling):
        await caller.token()
        (told,) = [counts for counts in await sibling.fetch_counts() if str(counts.process) == ME]
        assert told.service == service.counts()
        assert "token" in {counts.endpoint for counts in told.requests}

    async def test_peer_is_left_out_when_killed(self, http, folder):
        server = await asyncio.start_unix_server(lambda *_: None, folder / "2.sock")
        os.link(folder / "2.sock", folder / "3.sock")
        server.close()
        assert (folder / "3.sock").exists()
        assert await scrape(http)

    async def test_peer_is_left_out_when_it_hangs(self, http, folder, monkeypatch):
        monkeypatch.setattr(endpoint, "PEER_TIMEOUT_SECONDS", 0.05)
        over = asyncio.Event()

        async def hang(_reader, writer):
            await over.wait()
            writer.close()

        server = await asyncio.start_unix_server(hang, folder / "2.sock")
        assert (await scrape(http))("database_up") == 1
        over.set()
        server.close()
        await server.wait_closed()

    async def test_socket_is_removed_when_application_stops(self, service, folder, aiohttp_client):
        http = await aiohttp_client(LedgerTestServer(create_app(service, worker_socket_dir=folder)))
        assert [place.name for place in folder.iterdir()] == [f"{ME}.sock"]
        await http.close()
        assert list(folder.iterdir()) == []

    async def test_scrape_covers_one_process_when_listening_fails(self, service, folder, aiohttp_client):
        http = await aiohttp_client(LedgerTestServer(create_app(service, worker_socket_dir=folder / "missing")))
        assert (await scrape(http))("database_up") == 1
