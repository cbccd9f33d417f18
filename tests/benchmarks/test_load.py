"""What is sent: the files for the tools, the choice of tokens, and the mix of requests."""

from collections import Counter
from random import Random

import pytest

from benchmarks.contenders.contender import FormRequest
from benchmarks.load.kinds import WORKLOADS
from benchmarks.load.request import Request, posted, write_for_wrk
from benchmarks.load.subject import Asked, Subject
from benchmarks.load.zipf import zipf_choices
from benchmarks.report.results import MIX, MIXED, REVOKE

BASE = "http://127.0.0.1:8085/ms-auth-server"


class FakeRunning:
    pids = (1,)

    def issue(self) -> FormRequest:
        return FormRequest(f"{BASE}/oauth2/token", "grant_type=client_credentials")

    def introspect(self, token: str) -> FormRequest:
        return FormRequest(f"{BASE}/oauth2/introspect", f"token={token}", {"Authorization": "Basic eA=="})

    def revoke(self, token: str) -> FormRequest:
        return FormRequest(f"{BASE}/oauth2/revoke", f"token={token}")


def seeded() -> Random:
    return Random(1)  # noqa: S311 (an order, not a secret)


ASKED = Asked(known=1000, token=lambda number: f"known-{number}", live="known-live", revoked="gone")
SUBJECT = Subject("fake", 1, FakeRunning(), ASKED)


def test_wrk_is_given_each_request_as_it_goes_over_the_wire_after_its_length(tmp_path):
    requests = [posted(FakeRunning().introspect("é")), Request(f"{BASE}/audit?limit=1", headers={"Accept": "x"})]

    write_for_wrk(requests, tmp_path / "requests")

    form = (
        "POST /ms-auth-server/oauth2/introspect HTTP/1.1\r\nHost: 127.0.0.1:8085\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nAuthorization: Basic eA==\r\nContent-Length: 8\r\n\r\n"
        "token=é"
    ).encode()
    question = b"GET /ms-auth-server/audit?limit=1 HTTP/1.1\r\nHost: 127.0.0.1:8085\r\nAccept: x\r\n\r\n"
    written = (tmp_path / "requests").read_bytes()
    assert written == b"%d\n%b%d\n%b" % (len(form), form, len(question), question)


@pytest.mark.parametrize("torn", [Request(BASE, "GET\n"), Request(BASE, headers={"X": "a\r\nY: b"})])
def test_a_request_that_the_end_of_a_line_would_tear_is_refused(torn):
    with pytest.raises(ValueError, match="the end of a line"):
        torn.encoded()


def test_a_few_are_chosen_often_and_most_hardly_ever():
    chosen = Counter(zipf_choices(1000, 50_000, seeded()))

    often = [count for _, count in chosen.most_common()]
    assert often[0] == pytest.approx(2 * often[1], rel=0.15)
    assert often[0] == pytest.approx(10 * often[9], rel=0.25)
    assert len(chosen) > 900


def test_the_popular_ones_are_not_the_first():
    popular = [number for number, _ in Counter(zipf_choices(1000, 20_000, seeded())).most_common(10)]

    assert max(popular) > 500


def test_one_in_ten_of_a_mix_is_unknown_and_like_the_others_in_length():
    bodies = [request.body for request in WORKLOADS[MIX].requests(SUBJECT, ())]

    unknown = [body for body in bodies if not body.startswith("token=known-")]
    assert len(unknown) / len(bodies) == pytest.approx(0.1, abs=0.01)
    assert {len(body) for body in unknown} == {len("token=known-live")}


def test_the_mixed_workload_issues_once_to_twenty_introspections_and_a_tenth_of_a_revocation():
    spent = [f"new-{number}" for number in range(30)]

    requests = WORKLOADS[MIXED].requests(SUBJECT, spent)

    kinds = Counter(request.target.rpartition("/")[2] for request in requests)
    assert kinds == {"token": 300, "introspect": 6000, "revoke": 30}


def test_every_revocation_is_of_another_token():
    requests = WORKLOADS[REVOKE].requests(SUBJECT, ["a", "b"])

    assert [request.body for request in requests] == ["token=a", "token=b"]
