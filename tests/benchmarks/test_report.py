"""The report: results, missed targets with reasons, and what was not measured."""

import json

import pytest

from benchmarks.contenders.catalogue import OURS
from benchmarks.report.markdown import render
from benchmarks.report.plots import curves, rates
from benchmarks.report.results import EMPTY_HANDLER, MIX, read_results, write_results
from benchmarks.report.targets import Evidence, read_growth_ratio
from benchmarks.report.text import parse_sections
from tests.benchmarks.sample_results import OWN, PEERS, results

REASONS = {"issue-empty-handler": "It waits for the disk."}


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return render(Evidence(OWN, PEERS, 0.95), REASONS, {"Growth": "growth.md"}).splitlines()


@pytest.mark.parametrize(
    "line",
    [
        "| introspection, one process, to the empty handler | 0.8 | 0.85 | reached |",
        "| issuance, one process, to the empty handler | 0.55 | 0.40 | **missed** |",
        "| issuance, two workers to one, accounted | 1.7 |  | not measured |",
        "| introspection with 10 million tokens, to 10 thousand | 0.9 | 0.95 | reached |",
        # Medians with their spread, and the ratio to the empty handler.
        f"| {MIX} | 10,000 (9,900 - 10,100) | 8,500 (8,400 - 9,000) | 0.85 | 4.0 | 9.0 | 40 / 70 | 20 | 10 |",
        # Percentiles are medians; the worst latency is a maximum.
        f"| {MIX} | {OURS} | 4,000 | 1.0 | 2.0 | 6.0 | 12.0 | 150 | 0.6 | 30 |",
        # The database alone is compared by operations.
        "| look-up, one per query | `find` | 17,000 | 0.50 |",
        "| issuance, 16 per transaction | all of it | 8,000 | 0.50 |",
        # Two workers, with busy cores.
        f"| {MIX} | 1 | 8,000 | 0.8 | 70 | 20 | 10 |  |  |",
        f"| {MIX} | 2 | 9,000 | 1.0 | 80 | 20 | 10 | 1.12 | 1.75 |",
        # Rebuild and verification, in events per second.
        "| active_tokens | 1,000,000 | 100,000 | 125,000 |",
        # Peers.
        "| hydra | 4.0 |  | 4.0 |  |  |",
        "How hydra runs.",
        f"| {MIX} | 2,000 | 8,000 | 4.0 | 400 / 100 |",
        "Not measured on 2026-01-31 12:00 UTC on A processor, 2 cores: it exited: no space left",
        "Not measured yet: spring-authorization-server, django-oauth-toolkit.",
        "Other pages: [Growth](growth.md).",
    ],
)
def test_report_has_the_line(lines, line):
    assert line in lines


def test_missed_target_has_its_reason(lines):
    issuance, slowest = (line for line in lines if line.startswith("**Missed"))

    assert issuance.endswith("to the empty handler** (0.40, not 0.55). It waits for the disk.")
    assert slowest.endswith("to the best peer** (1.20, not below 1). The reason is not documented yet.")


def test_peer_has_its_versions_and_date(lines):
    assert any(line.startswith("hydra 2.3. Measured on 2026-01-31 12:00 UTC") for line in lines)


def test_missing_measurements_are_at_the_top():
    text = render(Evidence(results(absent={"pgbench": "pgbench is not installed."}), {}), {}, {})

    assert text.index("Not measured: pgbench: pgbench is not installed.") < text.index("## Targets")


def test_report_renders_when_nothing_was_measured():
    assert "| introspection, to the best peer | 1.5 |  | not measured |" in render(Evidence(results(), {}), {}, {})


def test_results_are_read_as_written(tmp_path):
    write_results(OWN, tmp_path / "results" / "service.json")

    assert read_results(tmp_path / "results" / "service.json") == OWN


def test_growth_ratio_needs_both_sizes(tmp_path):
    def size(tokens: int, *requests: int) -> dict[str, object]:
        runs = [{"requests": count, "seconds": 5.0} for count in requests]
        return {"tokens": tokens, "workloads": {"introspect any": runs}}

    file = tmp_path / "growth.json"
    assert read_growth_ratio(file) is None

    file.write_text(json.dumps({"sizes": [size(10_000, 100), size(1_000_000, 100)]}))
    assert read_growth_ratio(file) is None

    file.write_text(json.dumps({"sizes": [size(10_000, 100), size(10_000_000, 80, 95, 96)]}))
    assert read_growth_ratio(file) == pytest.approx(0.95)


def test_reasons_are_read_by_target():
    text = "For authors.\n\n## issue-empty-handler\n\nIt waits.\n\nTwice.\n\n## introspect-peers\n\nNone.\n"

    assert parse_sections(text) == {"issue-empty-handler": "It waits.\n\nTwice.", "introspect-peers": "None."}


def test_rates_of_peers_are_scaled_to_the_service():
    bars = rates(OWN, PEERS)

    assert bars[OURS][MIX] == 8_500
    assert bars[EMPTY_HANDLER][MIX] == 10_000
    assert bars["hydra"][MIX] == pytest.approx(2_125)
    assert "keycloak" not in bars


def test_latency_curves_are_labelled_with_their_rate():
    assert curves(OWN, {})["token-ledger, 4,000/s"] == {"50": 1.0, "90": 2.0, "99": 6.0, "99.9": 12.0}
