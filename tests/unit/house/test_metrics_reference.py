"""docs/reference/metrics.md has every metric, as the code has it, and no other."""

import re

from documents import ROOT, table

from api.http.metrics.catalogue import METRICS

TEXT = (ROOT / "docs/reference/metrics.md").read_text()


def test_every_metric_with_its_type_labels_and_meaning_and_no_other():
    documented = {
        name: (kind, tuple(label for label in labels.split(", ") if label), meaning)
        for name, kind, labels, meaning in table(TEXT)
    }
    assert documented == {metric.name: (metric.kind, metric.labels, metric.help) for metric in METRICS}


def test_every_metric_that_is_named_somewhere_exists():
    for file in sorted((ROOT / "docs").rglob("*.md")):
        named = set(
            re.findall(r"\btoken_ledger_(?:http|append|event|audit|log|projection|info|database)\w*", file.read_text())
        )
        assert named - {metric.name for metric in METRICS} == set(), file
