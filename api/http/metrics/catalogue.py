"""Every metric there is: its name, its kind, what it means, its labels. docs/reference/metrics.md has the same."""

from typing import Literal

from msgspec import Struct


class Metric(Struct, frozen=True):
    """A metric as Prometheus has it. `process` among its labels: each process counts for itself."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


INFO = Metric("token_ledger_info", "gauge", "Always 1; the release that answers.", ("version",))
DATABASE_UP = Metric("token_ledger_database_up", "gauge", "Whether the database answered this scrape.")

REQUESTS = Metric(
    "token_ledger_http_requests_total",
    "counter",
    "Requests answered, by endpoint and status.",
    ("endpoint", "issuer", "status", "process"),
)
REQUEST_SECONDS = Metric(
    "token_ledger_http_request_seconds",
    "histogram",
    "How long requests took, from the first line read to the answer made.",
    ("endpoint", "issuer", "process"),
)

APPENDS_WAITING = Metric(
    "token_ledger_appends_waiting", "gauge", "Writes that wait for the next batch.", ("log", "process")
)
APPENDS = Metric(
    "token_ledger_appends_total",
    "counter",
    "Writes by outcome: recorded, conflict (to be decided again), failed, refused (too many waited).",
    ("log", "outcome", "process"),
)
EVENTS_APPENDED = Metric("token_ledger_events_appended_total", "counter", "Events recorded.", ("log", "process"))
BATCH_WRITES = Metric(
    "token_ledger_append_batch_writes", "histogram", "Writes that shared a transaction.", ("log", "process")
)
READERS_WAITING = Metric(
    "token_ledger_audit_readers_waiting", "gauge", "Readers that wait for new events.", ("log", "process")
)

FOLLOWING = Metric(
    "token_ledger_projection_following",
    "gauge",
    "1 in the process that applies events to the projection, 0 in the others.",
    ("projection", "log", "process"),
)
EVENTS_FOLLOWED = Metric(
    "token_ledger_projection_events_total",
    "counter",
    "Events the process has taken the projection past.",
    ("projection", "log", "process"),
)
BATCHES_FOLLOWED = Metric(
    "token_ledger_projection_batches_total",
    "counter",
    "Transactions it took for them.",
    ("projection", "log", "process"),
)

ROWS_SWEPT = Metric(
    "token_ledger_sweep_rows_total", "counter", "Expired rows that the process has removed.", ("process",)
)
SWEEP_STEPS = Metric(
    "token_ledger_sweep_steps_total", "counter", "Transactions in which it looked for them.", ("process",)
)
SWEEP_BEHIND = Metric(
    "token_ledger_sweep_behind_seconds",
    "gauge",
    "How long ago the last whole walk over the rows began: what had expired by then is gone.",
)

LOG_POSITION = Metric("token_ledger_log_position", "gauge", "Position of the newest event.", ("log",))
POSITION = Metric("token_ledger_projection_position", "gauge", "Up to where the log is applied.", ("projection", "log"))
LAG_EVENTS = Metric(
    "token_ledger_projection_lag_events", "gauge", "Events that are not applied yet.", ("projection", "log")
)
LAG_SECONDS = Metric(
    "token_ledger_projection_lag_seconds",
    "gauge",
    "How long the oldest event that is not applied has been waiting.",
    ("projection", "log"),
)
STATE = Metric(
    "token_ledger_projection_state",
    "gauge",
    "1 for the state the projection is in, 0 for the others.",
    ("projection", "log", "state"),
)
STOPPED = Metric(
    "token_ledger_projection_stopped_position",
    "gauge",
    "Position of the event it stopped at, while it is stopped; error is the kind of error.",
    ("projection", "log", "topic", "error"),
)
SKIPPED = Metric(
    "token_ledger_projection_skipped_events", "gauge", "Events that operators had it skip.", ("projection", "log")
)

METRICS: tuple[Metric, ...] = (
    INFO,
    DATABASE_UP,
    REQUESTS,
    REQUEST_SECONDS,
    APPENDS_WAITING,
    APPENDS,
    EVENTS_APPENDED,
    BATCH_WRITES,
    READERS_WAITING,
    FOLLOWING,
    EVENTS_FOLLOWED,
    BATCHES_FOLLOWED,
    ROWS_SWEPT,
    SWEEP_STEPS,
    SWEEP_BEHIND,
    LOG_POSITION,
    POSITION,
    LAG_EVENTS,
    LAG_SECONDS,
    STATE,
    STOPPED,
    SKIPPED,
)
