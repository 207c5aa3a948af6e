"""What `marketcam top` shows: a camera's figures as tables for a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from rich.columns import Columns
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from marketcam.server.operators.watching import Interval

__all__ = ["screen"]

_STAGES: Final = ("source", "ingest", "frame", "encode", "record")
_KINDS: Final = (("metrics", "metric"), ("frames", "frame"), ("ticks", None))
_BAR: Final = 10
_ALMOST_FULL: Final = 0.8
_LATE_SECONDS: Final = 0.1


def screen(url: str, interval: Interval, problem: str | None = None) -> RenderableType:
    """Return all of it; `problem` says why the figures are not of now, where they are not."""
    panels = [
        Panel(table, title=title, title_align="left", border_style="dim", padding=(0, 1))
        for title, table in (
            ("stages", _stages(interval)),
            ("upstream", _upstream(interval)),
            ("queues", _queues(interval)),
            ("viewers", _viewers(interval)),
            ("recording", _recording(interval)),
            ("producer", _producer(interval)),
            ("edges", _nats(interval)),
            ("events posted", _webhook(interval)),
            ("process", _process(interval)),
        )
        if table.row_count
    ]
    return Group(_head(url, interval, problem), *_reasons(interval), Columns(panels))


def _head(url: str, interval: Interval, problem: str | None) -> Text:
    health = interval.now.health
    status = str(health.get("status", "unknown"))
    head = Text.assemble(
        (url, "bold"),
        "  ",
        (status, "bold green" if status == "ready" else "bold yellow"),
        f"  run {health.get('run')}",
    )
    if interval.has("last_tick"):
        head.append(f"  tick {interval.value('last_tick'):,.0f}")
    head.append(f"  {interval.rate('ticks_total'):,.1f} ticks/s")
    if health.get("run") is not None and not health["meta"].get("running"):
        head.append("  the source has ended")
    if problem is not None:
        head.append(f"\n{problem}; trying again", "bold red")
    return head


def _reasons(interval: Interval) -> Iterable[Text]:
    for reason in interval.now.health.get("reasons", ()):
        yield Text.assemble("  ", (str(reason["code"]), "yellow"), f"  {reason['message']}")


def _stages(interval: Interval) -> Table:
    table = _table("", "a second", "ms each", "waiting", "waits")
    for stage in _STAGES if interval.labels("stage_seconds_count") else ():
        table.add_row(
            stage,
            f"{interval.rate('stage_seconds_count', stage):,.1f}",
            f"{1e3 * interval.each('stage_seconds', stage):,.3f}",
            _count(interval, "stage_waiting", stage),
            _count(interval, "stage_waits_total", stage),
        )
    lags = [interval.quantile(share, "loop_lag_seconds") for share in (0.5, 0.99)]
    table.add_row(
        "loop lag", "", *(Text(_bound(lag), style=_alert(lag > _LATE_SECONDS)) for lag in lags)
    )
    table.caption = "loop lag: ms at p50 and p99"
    return table


def _bound(seconds: float) -> str:
    return "more" if math.isinf(seconds) else f"≤ {1e3 * seconds:g}"


def _queues(interval: Interval) -> Table:
    table = _table("", "waiting", "", "full")
    units = {key[1]: key[2] for key in interval.now.figures if key[0] == "queue_waiting"}
    for queue, unit in units.items():
        fill = interval.value("queue_fill_ratio", queue)
        waiting = interval.value("queue_waiting", queue, unit)
        shown = _size(waiting) if unit == "bytes" else f"{waiting:,.0f} {unit}"
        bar = "█" * round(_BAR * fill)
        table.add_row(
            queue, shown, Text(f"{bar:·<{_BAR}}", _alert(fill >= _ALMOST_FULL)), f"{fill:.0%}"
        )
    return table


def _viewers(interval: Interval) -> Table:
    table = _table("", "metrics", "frames")
    table.add_row("connected", _of_limit(interval, "clients"), "")
    table.add_row("behind", _count(interval, "clients_behind"), "")
    table.add_row("selections", _count(interval, "audiences"), "")
    for title, name in (("made", "messages_total"), ("sent", "messages_sent_total")):
        rates = (interval.rate(name, kind) for kind in ("metric", "frame"))
        table.add_row(f"{title} a second", *(f"{rate:,.1f}" for rate in rates))
    for title, name in (
        ("missed, slow", "messages_dropped_total"),
        ("missed, busy", "handover_dropped_total"),
    ):
        table.add_row(title, *(_loss(interval, name, kind) for kind in ("metric", "frame")))
    table.add_row("sent away", _loss(interval, "clients_sent_away_total"), "")
    table.add_row("reading history", _count(interval, "history_readers"), "")
    table.add_row("replays", _count(interval, "replays"), "")
    return table


def _upstream(interval: Interval) -> Table:
    """Show what comes to an edge; a camera has nothing upstream."""
    table = _table("", "metrics", "frames")
    upstream = interval.now.health.get("upstream")
    if upstream is None:
        return table
    is_there = interval.value("nats_connected") > 0
    table.add_row("NATS", Text("yes" if is_there else "no", _alert(not is_there)), "")
    rates = (interval.rate("upstream_received_total", kind) for kind in ("metric", "frame"))
    table.add_row("taken a second", *(f"{rate:,.1f}" for rate in rates))
    table.add_row("behind", _count(interval, "upstream_behind"), "")
    gaps = (_loss(interval, "upstream_gaps_total", kind) for kind in ("metric", "frame"))
    table.add_row("gaps", *gaps)
    table.add_row("damaged", _loss(interval, "upstream_damaged_total"), "")
    return table


def _nats(interval: Interval) -> Table:
    """Show what a camera publishes for edges, where it does."""
    table = _table("", "metrics", "frames")
    if interval.now.health.get("nats") is None:
        return table
    is_there = interval.value("nats_connected") > 0
    table.add_row("NATS", Text("yes" if is_there else "no", _alert(not is_there)), "")
    rates = (interval.rate("nats_sent_total", kind) for kind in ("metric", "frame"))
    table.add_row("stored a second", *(f"{rate:,.1f}" for rate in rates))
    lost = (_loss(interval, "nats_dropped_total", kind) for kind in ("metric", "frame"))
    table.add_row("dropped", *lost)
    return table


def _recording(interval: Interval) -> Table:
    kinds = interval.labels("recorded_lines_total")
    table = _table("", *kinds)
    if not interval.has("recording"):  # an edge records nothing
        return table
    is_on = interval.value("recording") > 0
    table.add_row("recording", Text("yes" if is_on else "no", _alert(not is_on)))
    lines = [f"{interval.rate('recorded_lines_total', kind):,.1f}" for kind in kinds]
    table.add_row("lines a second", *lines)
    sizes = [_size(interval.rate("recorded_bytes_total", kind)) for kind in kinds]
    table.add_row("JSON a second", *sizes)
    table.add_row("segments", *(_count(interval, "segments", kind) for kind in kinds))
    table.add_row("lines in the open one", *_counts(interval, "current_segment_lines", kinds))
    table.add_row("lines lost", _loss(interval, "record_dropped_total"))
    table.add_row("holes", _loss(interval, "record_holes_total"))
    table.add_row("store", _size(interval.value("store_bytes")))
    table.add_row("disk in use", f"{interval.value('disk_used_percent'):.1f} %")
    return table


def _producer(interval: Interval) -> Table:
    table = _table("", "")
    ingest = interval.now.health.get("ingest")
    if ingest is None:
        return table
    is_there = bool(interval.value("ingest_connected"))
    table.add_row("source", str(ingest["source"] or "none yet"))
    table.add_row("connected", Text("yes" if is_there else "no", _alert(not is_there)))
    table.add_row("last tick", str(ingest["last_t"]))
    table.add_row("refused", _loss(interval, "ingest_refused_ticks_total"))
    return table


def _webhook(interval: Interval) -> Table:
    table = _table("", "")
    if interval.now.health.get("webhook") is None:
        return table
    table.add_row("posted", _count(interval, "webhook_events_total"))
    for reason in interval.labels("webhook_events_lost_total"):
        table.add_row(f"lost, {reason}", _loss(interval, "webhook_events_lost_total", reason))
    table.add_row("requests failed", _loss(interval, "webhook_failures_total"))
    return table


def _process(interval: Interval) -> Table:
    table = _table("", "")
    if interval.has("process_resident_memory_bytes"):
        table.add_row("memory", _size(interval.value("process_resident_memory_bytes")))
        table.add_row("cores", f"{interval.rate('process_cpu_seconds_total'):.2f}")
        table.add_row("connections", _of_limit(interval, "connections"))
        table.add_row("refused", _loss(interval, "connections_refused_total"))
        files = [_count(interval, f"process_{each}_fds") for each in ("open", "max")]
        table.add_row("open files", " of ".join(files))
    return table


def _table(*titles: str) -> Table:
    table = Table(
        box=None,
        show_header=any(titles),
        header_style="dim",
        pad_edge=False,
        caption_style="dim",
    )
    for number, title in enumerate(titles):
        table.add_column(title, justify="right" if number else "left", no_wrap=True)
    return table


def _count(interval: Interval, *name: str) -> str:
    return f"{interval.value(*name):,.0f}" if interval.has(*name) else ""


def _of_limit(interval: Interval, name: str) -> str:
    limit = f"{name}_limit"
    now = _count(interval, name)
    return f"{now} of {_count(interval, limit)}" if interval.has(limit) else now


def _counts(interval: Interval, name: str, labels: Iterable[str]) -> list[str]:
    return [_count(interval, name, label) for label in labels]


def _loss(interval: Interval, *name: str) -> Text:
    """Show what was lost so far, marked where there was none before and while it grows."""
    return Text(_count(interval, *name), _alert(interval.seconds > 0 and interval.growth(*name)))


def _alert(is_amiss: float) -> str:
    return "bold red" if is_amiss else ""


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
