"""The metrics, from their catalogue."""

from collections.abc import Mapping

from api.http.metrics.catalogue import METRICS
from docs.generator.markdown import table


def metric_regions() -> Mapping[str, str]:
    """One table of all metrics, in the order of the catalogue."""
    rows = [(f"`{metric.name}`", metric.kind, ", ".join(metric.labels), metric.help) for metric in METRICS]
    return {"metrics": table(("metric", "type", "labels", "meaning"), rows)}
