"""Every metric: name, type, help text and labels. docs/reference/metrics.md lists the same."""

from typing import Literal

from msgspec import Struct


class Metric(Struct, frozen=True):
    """A Prometheus metric. With the label `process`, each process reports its own value."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


BUILD_INFO = Metric("token_ledger_build_info", "gauge", "Always 1; the label is the running release.", ("version",))
DATABASE_UP = Metric("token_ledger_database_up", "gauge", "1 if the database responded during this scrape, else 0.")

REQUESTS = Metric(
    "token_ledger_http_requests_total",
    "counter",
    "HTTP requests, by endpoint and response status.",
    ("endpoint", "issuer", "status", "process"),
)
REQUEST_DURATION = Metric(
    "token_ledger_http_request_duration_seconds",
    "histogram",
    "Time from the parsed request head to the finished response.",
    ("endpoint", "issuer", "process"),
)

APPENDS_WAITING = Metric(
    "token_ledger_appends_waiting", "gauge", "Appends that wait for the next batch.", ("log", "process")
)
APPENDS = Metric(
    "token_ledger_appends_total",
    "counter",
    "Appends by outcome: recorded, conflict (will be decided again), failed, refused (queue full).",
    ("log", "outcome", "process"),
)
EVENTS_APPENDED = Metric("token_ledger_events_appended_total", "counter", "Events appended.", ("log", "process"))
APPEND_BATCH_SIZE = Metric(
    "token_ledger_append_batch_size", "histogram", "Appends that shared one transaction.", ("log", "process")
)
AUDIT_READERS_WAITING = Metric(
    "token_ledger_audit_readers_waiting", "gauge", "Audit readers that wait for new events.", ("log", "process")
)

LEASE_HELD = Metric(
    "token_ledger_projection_lease_held",
    "gauge",
    "1 in the process that holds the projection's lease and applies its events, 0 in the others.",
    ("projection", "log", "process"),
)
EVENTS_PROCESSED = Metric(
    "token_ledger_projection_events_processed_total",
    "counter",
    "Events by which the process has advanced the projection.",
    ("projection", "log", "process"),
)
BATCHES = Metric(
    "token_ledger_projection_batches_total",
    "counter",
    "Transactions in which the process advanced the projection.",
    ("projection", "log", "process"),
)

SWEEP_ROWS_DELETED = Metric(
    "token_ledger_sweep_rows_deleted_total", "counter", "Expired rows deleted by the process.", ("process",)
)
SWEEP_BATCHES = Metric(
    "token_ledger_sweep_batches_total", "counter", "Transactions in which the process looked for them.", ("process",)
)
SWEEP_LAG = Metric(
    "token_ledger_sweep_lag_seconds",
    "gauge",
    "Time since the last complete sweep began. Rows that had expired by then are deleted.",
)

VERIFICATION_ROWS = Metric(
    "token_ledger_verification_rows_total",
    "counter",
    "Rows of projections compared with the log, by all processes.",
    ("log",),
)
VERIFICATION_DIFFERENCES = Metric(
    "token_ledger_verification_differences",
    "gauge",
    "Rows that are not what the log says, found in the last complete round or the one under way.",
    ("log",),
)
VERIFICATION_AGE = Metric(
    "token_ledger_verification_age_seconds",
    "gauge",
    "Time since the last complete round started; +Inf before the first.",
    ("log",),
)

HEAD_POSITION = Metric("token_ledger_log_head_position", "gauge", "Position of the newest event.", ("log",))
POSITION = Metric(
    "token_ledger_projection_position",
    "gauge",
    "Checkpoint: position of the last event applied.",
    ("projection", "log"),
)
LAG_EVENTS = Metric(
    "token_ledger_projection_lag_events", "gauge", "Events after the checkpoint.", ("projection", "log")
)
LAG_SECONDS = Metric(
    "token_ledger_projection_lag_seconds",
    "gauge",
    "Age of the oldest event after the checkpoint; 0 without one.",
    ("projection", "log"),
)
STATE = Metric(
    "token_ledger_projection_state",
    "gauge",
    "1 for the current state of the projection, 0 for the others.",
    ("projection", "log", "state"),
)
STOPPED = Metric(
    "token_ledger_projection_stopped_position",
    "gauge",
    "Position of the event at which the projection stopped; error is the class of the error.",
    ("projection", "log", "topic", "error"),
)
SKIPPED = Metric(
    "token_ledger_projection_skipped_events", "gauge", "Events skipped by an operator.", ("projection", "log")
)

METRICS = tuple(value for value in list(vars().values()) if isinstance(value, Metric))
