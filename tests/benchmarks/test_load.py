"""The requests that are sent: files for wrk, the choice of tokens, and the workloads."""

from collections import Counter
from random import Random

import pytest

from benchmarks.contenders.contender import FormRequest
from benchmarks.load.request import Request, form_request, write_requests
from benchmarks.load.target import KnownTokens, LoadTarget, choose_by_zipf
from benchmarks.load.workloads import WORKLOADS
from benchmarks.report.results import MIX, MIXED, REVOKE

BASE = "http://127.0.0.1:8085/ms-auth-server"


class FakeContender:
    pids = (1,)

    def issue(self) -> FormRequest:
        return FormRequest(f"{BASE}/oauth2/token", "grant_type=client_credentials")

    def introspect(self, token: str) -> FormRequest:
        return FormRequest(f"{BASE}/oauth2/introspect", f"token={token}", {"Authorization": "Basic eA=="})

    def revoke(self, token: str) -> FormRequest:
        return FormRequest(f"{BASE}/oauth2/revoke", f"token={token}")


def seeded() -> Random:
    return Random(1)  # noqa: S311 (not for security)


ASKED = KnownTokens(count=1000, token=lambda number: f"known-{number}", live="known-live", revoked="gone")
SUBJECT = LoadTarget("fake", 1, FakeContender(), ASKED)


def test_file_for_wrk_has_each_encoded_request_after_its_length(tmp_path):
    requests = [
        form_request(FakeContender().introspect("é")),
        Request(f"{BASE}/audit?limit=1", headers={"Accept": "x"}),
    ]

    write_requests(requests, tmp_path / "requests")

    form = (
        "POST /ms-auth-server/oauth2/introspect HTTP/1.1\r\nHost: 127.0.0.1:8085\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nAuthorization: Basic eA==\r\nContent-Length: 8\r\n\r\n"
        "token=é"
    ).encode()
    question = b"GET /ms-auth-server/audit?limit=1 HTTP/1.1\r\nHost: 127.0.0.1:8085\r\nAccept: x\r\n\r\n"
    written = (tmp_path / "requests").read_bytes()
    assert written == b"%d\n%b%d\n%b" % (len(form), form, len(question), question)


@pytest.mark.parametrize("request_", [Request(BASE, "GET\n"), Request(BASE, headers={"X": "a\r\nY: b"})])
def test_request_with_a_line_break_in_its_head_is_refused(request_):
    with pytest.raises(ValueError, match="contains a line break"):
        request_.encode()


def test_zipf_choice_follows_the_law():
    chosen = Counter(choose_by_zipf(1000, 50_000, seeded()))

    often = [count for _, count in chosen.most_common()]
    assert often[0] == pytest.approx(2 * often[1], rel=0.15)
    assert often[0] == pytest.approx(10 * often[9], rel=0.25)
    assert len(chosen) > 900
    assert max(number for number, _ in chosen.most_common(10)) > 500  # popular numbers are not the first


def test_mix_has_ten_per_cent_unknown_tokens_of_the_same_length():
    bodies = [request.body for request in WORKLOADS[MIX].build(SUBJECT, ())]

    unknown = [body for body in bodies if not body.startswith("token=known-")]
    assert len(unknown) / len(bodies) == pytest.approx(0.1, abs=0.01)
    assert {len(body) for body in unknown} == {len("token=known-live")}


def test_mixed_workload_has_its_ratio_of_requests():
    revocable = [f"new-{number}" for number in range(30)]

    requests = WORKLOADS[MIXED].build(SUBJECT, revocable)

    kinds = Counter(request.target.rpartition("/")[2] for request in requests)
    assert kinds == {"token": 300, "introspect": 6000, "revoke": 30}

    revocations = WORKLOADS[REVOKE].build(SUBJECT, ["a", "b"])
    assert [request.body for request in revocations] == ["token=a", "token=b"]
