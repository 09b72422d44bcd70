"""What every process counts, for Prometheus. Touched once a batch, never once a mention, save where labels need it.

docs/metrics.md explains each; a test holds the two together.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

TAKEN_IN = Counter("harken_taken_in_total", "Mentions taken in for the first time, by source", ["via"])
REPEATED = Counter("harken_repeated_total", "Mentions seen again and not published again", ["via"])
REJECTED = Counter("harken_rejected_total", "Items of a source that could not be read", ["via"])
REMOVALS = Counter("harken_removals_total", "Removals noticed", ["via"])
GAPS = Counter("harken_gaps_total", "Gaps recorded", ["via", "repaired"])
LAST_HEARD = Gauge("harken_source_last_heard_seconds", "When the source last gave a sign of life (Unix time)", ["via"])
SOURCE_UP = Gauge("harken_source_up", "1 while the source is connected, 0 while it backs off or has stopped", ["via"])
SILENT = Gauge("harken_source_silent", "1 while a source has been silent for longer than it should", ["via"])

USED = Gauge("harken_source_used", "What a source has used of an allowance", ["via", "unit"])
ALLOWED = Gauge("harken_source_allowed", "The allowance, where there is one", ["via", "unit"])
RECHECKED = Counter("harken_rechecked_total", "Stored mentions checked again, by what was found", ["via", "found"])

HANDLED = Counter("harken_handled_total", "Records handled and committed", ["role"])
DEAD = Counter("harken_dead_letters_total", "Mentions dead-lettered", ["role", "stage"])
BATCH_SECONDS = Histogram(
    "harken_batch_seconds",
    "From a batch in hand to its commit",
    ["role"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
DECISIONS = Counter("harken_decisions_total", "Decisions by queue (or `filtered`) and rule", ["queue", "rule"])
WAITING = Gauge("harken_waiting", "1 while a process waits for something that is down", ["for_"])
LAG = Gauge("harken_lag_records", "Records a role has yet to finish", ["role"])
FENCED = Counter("harken_fenced_total", "Batches dropped because another member took the partitions", ["role"])

QUEUED_SECONDS = Histogram(
    "harken_collected_to_queue_seconds",
    "From collected to stored in a queue",
    buckets=(0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30, 60, 300, 3600),
)
PURGED_SECONDS = Histogram(
    "harken_removal_seconds",
    "From a removal noticed to the mention withdrawn from the store",
    buckets=(0.1, 0.5, 1, 5, 30, 60, 300, 900, 3600, 86400),
)
SENT = Counter("harken_sink_sent_total", "Deliveries a sink accepted", ["sink"])
REFUSED = Counter("harken_sink_refused_total", "Deliveries a sink refused for good", ["sink"])
SINK_PENDING = Gauge("harken_sink_pending", "Deliveries waiting in the outbox", ["sink"])

COUNTED = Counter("harken_counted_total", "Mentions by what the counting made of them", ["outcome"])
DETECTIONS = Counter("harken_detections_total", "Windows found to be out of the ordinary", ["kind", "severity"])
ALERTS = Counter("harken_alerts_total", "Attempts to send an alert, by what came of them", ["target", "outcome"])
SPIKE_SERIES = Gauge("harken_spike_series", "Series of which the last hour is in memory")

OPEN_CASES = Gauge("harken_open_cases", "Open cases, by queue and standing", ["queue", "standing"])
LATE_CASES = Gauge("harken_late_cases", "Open cases past the time their next answer was due", ["queue"])
ALARMS = Counter("harken_service_level_alarms_total", "Alarms of service levels told", ["kind", "clock", "queue"])
FEED_SECONDS = Gauge("harken_feed_behind_seconds", "How long the oldest event waits for a follower", ["follower"])
ANSWERS = Counter("harken_answers_total", "Attempts to send an answer, by what came of them", ["via", "outcome"])
DEEDS = Counter("harken_deeds_total", "Likes and hides handed to a platform, by what came of them", ["via", "outcome"])
ANSWERS_WAITING = Gauge("harken_answers_waiting", "Answers that wait or are being sent", ["via"])
