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


def test_target_is_reached_missed_or_not_measured(lines):
    assert "| introspection, one process, to the empty handler | 0.8 | 0.85 | reached |" in lines
    assert "| issuance, one process, to the empty handler | 0.55 | 0.40 | **missed** |" in lines
    assert "| issuance, two workers to one, accounted | 1.7 |  | not measured |" in lines
    assert "| introspection with 10 million tokens, to 10 thousand | 0.9 | 0.95 | reached |" in lines


def test_missed_target_has_its_reason(lines):
    issuance, slowest = (line for line in lines if line.startswith("**Missed"))

    assert issuance.endswith("to the empty handler** (0.40, not 0.55). It waits for the disk.")
    assert slowest.endswith("to the best peer** (1.20, not below 1). The reason is not documented yet.")


def test_rates_are_medians_with_spread_and_ratio_to_the_empty_handler(lines):
    assert (
        f"| {MIX} | 10,000 (9,900 - 10,100) | 8,500 (8,400 - 9,000) | 0.85 | 4.0 | 9.0 | 40 / 70 | 20 | 10 |" in lines
    )


def test_percentiles_are_medians_and_the_worst_is_the_maximum(lines):
    assert f"| {MIX} | {OURS} | 4,000 | 1.0 | 2.0 | 6.0 | 12.0 | 150 | 0.6 | 30 |" in lines


def test_database_alone_is_compared_by_operations(lines):
    assert "| look-up, one per query | `find` | 17,000 | 0.50 |" in lines
    assert "| issuance, 16 per transaction | all of it | 8,000 | 0.50 |" in lines


def test_two_workers_are_shown_with_busy_cores(lines):
    assert f"| {MIX} | 1 | 8,000 | 0.8 | 70 | 20 | 10 |  |  |" in lines
    assert f"| {MIX} | 2 | 9,000 | 1.0 | 80 | 20 | 10 | 1.12 | 1.75 |" in lines


def test_rebuild_is_shown_in_events_per_second(lines):
    assert "| active_tokens | 1,000,000 | 100,000 | 125,000 |" in lines


def test_peer_has_versions_date_and_ratio(lines):
    assert "| hydra | 4.0 |  | 4.0 |  |  |" in lines
    assert "How hydra runs." in lines
    assert any(line.startswith("hydra 2.3. Measured on 2026-01-31 12:00 UTC") for line in lines)
    assert f"| {MIX} | 2,000 | 8,000 | 4.0 | 400 / 100 |" in lines


def test_peer_without_results_has_the_reason(lines):
    assert "Not measured on 2026-01-31 12:00 UTC on A processor, 2 cores: it exited: no space left" in lines
    assert "Not measured yet: spring-authorization-server, django-oauth-toolkit." in lines


def test_other_pages_of_the_folder_are_linked(lines):
    assert "Other pages: [Growth](growth.md)." in lines


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
