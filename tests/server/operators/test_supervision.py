"""What a service manager hears of a server: readiness, signs of life, a hang, the end."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from marketcam.server.operators.service_manager import ServiceManager
from marketcam.server.operators.supervision import BEATS, STATUS_SECONDS, Supervision
from marketcam.server.running.pulse import Pulse
from marketcam.server.running.rig import Rig
from marketcam.server.settings import Settings
from tests.hanging_simulator import hanging_simulator
from tests.server_helpers import server_process
from tests.service_manager_helpers import hearing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_server_says_when_it_is_ready_that_it_lives_and_when_it_stops(tmp_path: Path) -> None:
    address = f"@{tmp_path}"
    variables = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"}
    # A pipe that gives no tick is no engine that hangs.
    flags = ("--ticks", "-", "--record-stall-seconds", "0.3")
    with hearing(address) as manager, server_process(tmp_path, *flags, **variables) as server:
        first = manager.next()
        assert first == {"READY": "1", "WATCHDOG": "1", "STATUS": "ready; 0 ticks, 0 clients"}
        with server.http() as http:
            assert http.get("/health?ready=1").status_code == 200
        for _ in range(2 * BEATS):
            assert manager.next()["WATCHDOG"] == "1"
        server.process.send_signal(signal.SIGTERM)
        assert manager.until("STOPPING") == {"STOPPING": "1", "STATUS": "stopping"}
        assert server.process.wait() == 0
    assert "watchdog_short" not in server.log


def test_an_engine_that_hangs_gives_no_sign_of_life(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    flags = hanging_simulator(tmp_path)
    variables = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"}
    with hearing(address) as manager, server_process(tmp_path, *flags, **variables) as server:
        assert "READY" in manager.next()
        assert "WATCHDOG" not in manager.until_status("hangs: a tick has been in hand for 0.")
        for _ in range(2 * BEATS):
            assert "WATCHDOG" not in manager.next()
        server.wait_for_log("event=engine_hangs")
        server.wait_for_log("event=watchdog_short")


class Clockwork:
    """A clock that is moved by hand, and the one timer that is set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.delay = 0.0
        self._callback: Callable[[], None] | None = None

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Clockwork:
        self.delay, self._callback = delay, callback
        return self

    def fire(self) -> None:
        self.now += self.delay
        assert self._callback is not None
        self._callback()

    def cancel(self) -> None:
        self._callback = None


def test_a_tick_may_take_as_long_as_the_watchdog_allows(tmp_path: Path) -> None:
    clockwork = Clockwork()
    rig = Rig(Settings(store_dir=tmp_path))
    rig.pipeline.pulse = Pulse(clockwork.time)
    with hearing(str(tmp_path / "notify")) as manager:
        supervision = Supervision(rig, ServiceManager(str(tmp_path / "notify"), 20.0))
        supervision.begin(clockwork.call_later)
        assert manager.next()["WATCHDOG"] == "1"
        rig.pipeline.pulse.work()
        beats: list[float] = []
        for _ in range(8):
            clockwork.fire()
            if "WATCHDOG" in manager.next():
                beats.append(clockwork.now)
        assert 20 <= beats[-1] + 20 <= 30, "so long a tick may take, and no longer"
        rig.pipeline.pulse.rest()
        clockwork.fire()
        assert "WATCHDOG" in manager.next(), "it goes on once the tick is done"
        supervision.end()
        supervision.end()
        assert "STOPPING" in manager.next()


def test_without_a_watchdog_there_are_no_beats_but_a_status(tmp_path: Path) -> None:
    clockwork = Clockwork()
    with hearing(str(tmp_path / "notify")) as manager:
        told = ServiceManager(str(tmp_path / "notify"))
        supervision = Supervision(Rig(Settings(store_dir=tmp_path)), told)
        supervision.begin(clockwork.call_later)
        clockwork.fire()
        assert [set(manager.next()) for _ in range(2)] == [{"READY", "STATUS"}] * 2
        assert clockwork.delay == STATUS_SECONDS


def test_without_a_manager_nobody_is_told(tmp_path: Path) -> None:
    supervision = Supervision(Rig(Settings(store_dir=tmp_path)), None)
    supervision.begin()
    supervision.end()


def test_a_manager_that_cannot_be_reached_is_logged_and_not_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    address = str(tmp_path / "notify")
    ServiceManager(address).tell("READY=1", status="ready")
    assert "no such file" in caplog.text.lower()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(address)
        for _ in range(10_000):  # until its queue is full
            ServiceManager(address).tell("WATCHDOG=1", status="ready")
            if "temporarily unavailable" in caplog.text:
                break
        else:
            pytest.fail("the queue of a socket is never full")


def test_a_status_is_one_line_and_not_long(tmp_path: Path) -> None:
    with hearing(str(tmp_path / "notify")) as manager:
        ServiceManager(str(tmp_path / "notify")).tell(status="two\nlines " + "x" * 1000)
        status = manager.next()["STATUS"]
        assert status.startswith("two lines x")
        assert len(status) == 400


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"NOTIFY_SOCKET": ""}, None),
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, None),
        ({"NOTIFY_SOCKET": "/run/notify"}, ServiceManager("/run/notify", 0.0)),
        (
            {"NOTIFY_SOCKET": "@notify", "WATCHDOG_USEC": "60000000"},
            ServiceManager("\0notify", 60.0),
        ),
        (
            {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "5", "WATCHDOG_PID": str(os.getpid())},
            ServiceManager("/n", 5e-6),
        ),
        (
            {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "5", "WATCHDOG_PID": "1"},
            ServiceManager("/n", 0.0),
        ),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "-5"}, ServiceManager("/n", 0.0)),
    ],
)
def test_what_the_variables_say(variables: dict[str, str], expected: ServiceManager | None) -> None:
    assert ServiceManager.of(variables) == expected
