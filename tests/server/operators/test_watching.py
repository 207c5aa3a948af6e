"""Two looks at a camera, and the screen that is made of them."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from marketcam.io.remote_http import Address, RemoteStoreError
from marketcam.server.operators.screen import screen
from marketcam.server.operators.watching import Interval, Look, look_at
from tests.server_helpers import fed_server, receive_until

if TYPE_CHECKING:
    from pathlib import Path

HEALTH: dict[str, Any] = {
    "meta": {"running": True},
    "run": "r1",
    "status": "ready",
    "reasons": [],
    "webhook": None,
}


def look(at: float, figures: dict[tuple[str, ...], float], **health: Any) -> Look:
    return Look(at, HEALTH | health, figures)


def shown(interval: Interval, problem: str | None = None) -> str:
    text = io.StringIO()
    Console(file=text, width=110).print(screen("http://camera", interval, problem))
    return text.getvalue()


def test_rates_are_of_the_time_between_two_looks() -> None:
    interval = Interval(
        look(10.0, {("ticks_total",): 100.0, ("s_count", "a"): 4.0, ("s_sum", "a"): 1.0}),
        look(12.0, {("ticks_total",): 300.0, ("s_count", "a"): 8.0, ("s_sum", "a"): 2.0}),
    )
    assert interval.rate("ticks_total") == 100.0
    assert interval.each("s", "a") == 0.25
    assert (interval.rate("other"), interval.each("other"), interval.value("other")) == (0, 0, 0)


def test_a_camera_that_was_started_again_counts_from_its_start() -> None:
    interval = Interval(look(0.0, {("ticks_total",): 900.0}), look(1.0, {("ticks_total",): 30.0}))
    assert interval.rate("ticks_total") == 30.0


def test_one_look_alone_has_no_rates() -> None:
    one = look(5.0, {("ticks_total",): 900.0})
    assert Interval(one, one).rate("ticks_total") == 0.0


def test_quantiles_of_what_lies_between() -> None:
    before = {("lag_bucket", "0.001"): 100.0, ("lag_bucket", "0.1"): 100.0}
    now = {("lag_bucket", "0.001"): 150.0, ("lag_bucket", "0.1"): 198.0}
    for figures, count in ((before, 100.0), (now, 200.0)):
        figures["lag_bucket", "+Inf"] = count
    interval = Interval(look(0.0, before), look(1.0, now))
    assert interval.quantile(0.5, "lag") == 0.001
    assert interval.quantile(0.9, "lag") == 0.1
    assert math.isinf(interval.quantile(0.99, "lag"))
    assert interval.quantile(0.5, "none") == 0.0


def test_the_screen_says_why_a_camera_is_degraded() -> None:
    reasons = [{"code": "disk_full", "message": "the disk is 97.0 % full"}]
    made = look(0.0, {}, status="degraded", reasons=reasons)
    text = shown(Interval(made, made), "nothing came before the timeout")
    assert "http://camera  degraded  run r1" in text
    assert "  disk_full  the disk is 97.0 % full" in text
    assert "nothing came before the timeout; trying again" in text


def test_the_screen_of_a_source_that_has_ended() -> None:
    made = look(0.0, {}, meta={"running": False})
    assert "the source has ended" in shown(Interval(made, made))


def test_what_a_camera_does_not_have_is_not_shown() -> None:
    made = look(0.0, {})
    text = shown(Interval(made, made))
    assert "events posted" not in text
    assert "process" not in text


def test_the_figures_of_a_real_camera(tmp_path: Path) -> None:
    with fed_server(tmp_path, webhook_url="http://127.0.0.1:1/") as (server, feed):
        address = Address(server.listening.url)
        before = look_at(address, lambda: 1.0)
        with server.stream() as stream:
            feed.send_ticks(0, 11)
            receive_until(stream, "metric", 11)
            now = look_at(address, lambda: 3.0)
    interval = Interval(before, now)
    assert interval.rate("ticks_total") == 6.0
    assert interval.labels("recorded_lines_total") == ["frames", "metrics", "events"]
    text = shown(interval)
    for said in (
        "tick 11",
        "6.0 ticks/s",
        "read_ahead",
        "events posted",
        "open files",
        "connected",
    ):
        assert said in text


def test_what_is_no_camera(tmp_path: Path) -> None:
    with fed_server(tmp_path) as (server, _), pytest.raises(RemoteStoreError, match="status 404"):
        look_at(Address(f"{server.listening.url}/elsewhere"))
