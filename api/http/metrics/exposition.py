"""Render counts and statuses in the Prometheus text format."""

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from api.http.instrumented_endpoint import DURATION_BUCKETS_SECONDS, RequestCounts
from api.http.metrics import catalogue
from api.http.metrics.catalogue import METRICS, Metric
from api.service.running_service import LogCounts, ServiceCounts
from ledger.batching.group_commit import BATCH_BOUNDS
from projections.following.status import STATES, ProjectionStatus
from projections.view_check import ViewCheckResult

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class ProcessCounts(Struct):
    """Everything one process has counted; `process` is its id."""

    process: int
    service: ServiceCounts
    requests: Sequence[RequestCounts] = ()


def exposition(
    version: str,
    processes: Iterable[ProcessCounts],
    statuses: Sequence[ProjectionStatus] | None,
    sweep_lag: float | None = None,
    verification: Sequence[ViewCheckResult] | None = None,
) -> bytes:
    """Render all metrics; what is read from the database is None while it is unreachable."""
    samples = _Samples()
    samples.add(catalogue.BUILD_INFO, (version,), 1)
    samples.add(catalogue.DATABASE_UP, (), statuses is not None)
    for process in processes:
        _add_process(samples, process)
    if sweep_lag is not None:
        samples.add(catalogue.SWEEP_LAG, (), sweep_lag)
    for result in verification or ():
        samples.add(catalogue.VERIFICATION_ROWS, (result.log,), result.rows)
        samples.add(catalogue.VERIFICATION_DIFFERENCES, (result.log,), result.differences)
        age = math.inf if result.age_seconds is None else result.age_seconds
        samples.add(catalogue.VERIFICATION_AGE, (result.log,), age)
    for log, head in {status.log: status.head for status in statuses or ()}.items():
        samples.add(catalogue.HEAD_POSITION, (log,), head)
    for status in statuses or ():
        _add_status(samples, status)
    return generate_latest(samples)


class _Samples(Collector):
    def __init__(self) -> None:
        self._families = {metric.name: _family(metric) for metric in METRICS}

    def add(self, metric: Metric, labels: Sequence[object], value: float) -> None:
        family = self._families[metric.name]
        assert isinstance(family, CounterMetricFamily | GaugeMetricFamily)
        family.add_metric([str(label) for label in labels], value)

    def add_histogram(
        self, metric: Metric, labels: Sequence[object], bounds: Sequence[float], counts: Sequence[int], total: float
    ) -> None:
        """Add a histogram. `counts` has one entry per bucket, and a last one beyond the highest bound."""
        family = self._families[metric.name]
        assert isinstance(family, HistogramMetricFamily)
        names = [*(str(float(bound)) for bound in bounds), "+Inf"]
        buckets = list(zip(names, map(float, accumulate(counts)), strict=True))
        family.add_metric([str(label) for label in labels], buckets, total)

    def collect(self) -> Iterable[Family]:
        return self._families.values()


def _family(metric: Metric) -> Family:
    kinds = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily, "histogram": HistogramMetricFamily}
    made: Family = kinds[metric.kind](metric.name, metric.help, labels=metric.labels)
    return made


def _add_process(samples: _Samples, process: ProcessCounts) -> None:
    pid = process.process
    for counts in process.requests:
        where = counts.endpoint, counts.issuer
        if counts.statuses:
            samples.add_histogram(
                catalogue.REQUEST_DURATION, (*where, pid), DURATION_BUCKETS_SECONDS, counts.durations, counts.seconds
            )
        for status, count in sorted(counts.statuses.items()):
            samples.add(catalogue.REQUESTS, (*where, status, pid), count)
    for log in process.service.logs:
        _add_log(samples, log, pid)
    for follower in process.service.followers:
        labels = follower.projection, follower.log, pid
        samples.add(catalogue.LEASE_HELD, labels, follower.following)
        samples.add(catalogue.EVENTS_PROCESSED, labels, follower.events)
        samples.add(catalogue.BATCHES, labels, follower.batches)
    samples.add(catalogue.SWEEP_ROWS_DELETED, (pid,), process.service.sweep.rows)
    samples.add(catalogue.SWEEP_BATCHES, (pid,), process.service.sweep.steps)


def _add_log(samples: _Samples, log: LogCounts, pid: int) -> None:
    appends = log.appends
    writes = appends.recorded + appends.conflicts + appends.failed
    samples.add(catalogue.APPENDS_WAITING, (log.log, pid), log.waiting)
    samples.add(catalogue.APPENDS, (log.log, "recorded", pid), appends.recorded)
    samples.add(catalogue.APPENDS, (log.log, "conflict", pid), appends.conflicts)
    samples.add(catalogue.APPENDS, (log.log, "failed", pid), appends.failed)
    samples.add(catalogue.APPENDS, (log.log, "refused", pid), appends.refused)
    samples.add(catalogue.EVENTS_APPENDED, (log.log, pid), appends.events)
    samples.add_histogram(catalogue.APPEND_BATCH_SIZE, (log.log, pid), BATCH_BOUNDS, appends.batches, writes)
    samples.add(catalogue.AUDIT_READERS_WAITING, (log.log, pid), log.readers)


def _add_status(samples: _Samples, status: ProjectionStatus) -> None:
    which = status.projection, status.log
    samples.add(catalogue.POSITION, which, status.position)
    samples.add(catalogue.LAG_EVENTS, which, status.lag_events)
    samples.add(catalogue.LAG_SECONDS, which, status.lag_seconds)
    samples.add(catalogue.SKIPPED, which, len(status.skips))
    for state in STATES:
        samples.add(catalogue.STATE, (*which, state), state == status.state)
    if status.stopped is not None:
        # The type alone: the message may quote recorded data, and scrapes are unauthenticated.
        samples.add(
            catalogue.STOPPED, (*which, status.stopped.topic, status.stopped.error_type), status.stopped.position
        )
