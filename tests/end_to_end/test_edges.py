"""A camera, NATS and three edges on machines of their own: whatever breaks, no viewer is misled."""

from __future__ import annotations

import signal
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.namespaces import IN_NAMESPACE, Star, star, within
from tests.nats_helpers import NatsServer
from tests.server_helpers import PATIENCE, ServerProcess, open_stream, state_tick, tick_lines
from tests.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.sync.client import ClientConnection

ROOT = str(Path(__file__).parents[2])
STEP = 20
EDGES = 3


class Field:
    """All of it, and where the ticks are.

    Attributes:
        last_t: the last tick that was fed.
        edges: the processes of the edges.
    """

    def __init__(self, folder: Path, machines: Star, stack: ExitStack) -> None:
        self.folder = folder
        self.machines = machines
        self.last_t = -1
        self._stack = stack
        before = ("ip", "netns", "exec", machines.middle)
        self.nats = NatsServer(folder / "nats", "0.0.0.0", *before)
        self.nats.start()
        stack.callback(self.nats.end)
        camera = ("serve", "--ticks", "-", "--tick-rate", "0", "--W", "4", "--stride", "2")
        self.camera = self._process(machines.middle, "camera", *camera, nats="127.0.0.1")
        self.camera.wait_until_listening()
        self.camera_viewer = self.watch(self.camera, machines.middle)
        self.edges = [self.begin_edge(number) for number in range(EDGES)]
        for edge in self.edges:
            edge.wait_until_listening()

    def _process(self, place: str, name: str, *command: str, nats: str) -> ServerProcess:
        (self.folder / name).mkdir(exist_ok=True)
        process = ServerProcess(
            self.folder / name,
            *("-c", IN_NAMESPACE, place, *command, "--port", "0"),
            *("--nats", f"nats://{nats}:4222", "--nats-silence-seconds", "1"),
            PYTHONPATH=ROOT,
        )
        self._stack.callback(process.end)
        return process

    def begin_edge(self, number: int) -> ServerProcess:
        place = self.machines.around[number]
        return self._process(place, place, "edge", nats=self.machines.address(number))

    def watch(self, server: ServerProcess, place: str) -> Watcher:
        def connect() -> ClientConnection:
            return self._stack.enter_context(open_stream(server.stream_url, ping_interval=None))

        watcher = Watcher(within(place, connect))
        self._stack.callback(watcher.close)
        return watcher

    def watch_edge(self, number: int) -> Watcher:
        return self.watch(self.edges[number], self.machines.around[number])

    def reasons(self, number: int) -> list[str]:
        url = f"{self.edges[number].url}/health"
        answer = within(self.machines.around[number], lambda: httpx.get(url, timeout=PATIENCE))
        return [reason["code"] for reason in answer.json()["reasons"]]

    def feed(self) -> int:
        """Feed some ticks, wait until the camera's own viewer has them, and return the last."""
        first, self.last_t = self.last_t + 1, self.last_t + STEP
        self.camera.feed(tick_lines(state_tick(t) for t in range(first, self.last_t + 1)))
        self.camera_viewer.wait_for("metric", self.last_t)
        if self.last_t % 2 == 0:
            self.camera_viewer.wait_for("frame", self.last_t)
        return self.last_t

    @contextmanager
    def losing_nats(self, *numbers: int) -> Iterator[None]:
        """Wait, at the end of what is done in the block, until edges have found out."""
        before = [self.edges[number].count_in_log("nats_lost") for number in numbers]
        yield
        for number, count in zip(numbers, before, strict=True):
            self.edges[number].wait_for_log("nats_lost", after=count)

    def check(self, viewer: Watcher) -> None:
        """Check all that a viewer of an edge was promised."""
        made = list(range(self.last_t + 1))
        assert viewer.missed("metric", made) == []
        assert viewer.missed("frame", [t for t in made if t >= 4 and t % 2 == 0]) == []
        own = self.camera_viewer.raw
        assert viewer.raw == {key: own[key] for key in viewer.raw}


@contextmanager
def field_in(folder: Path) -> Iterator[Field]:
    with ExitStack() as stack:
        yield Field(folder, stack.enter_context(star(EDGES)), stack)


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    with field_in(tmp_path_factory.mktemp("edges")) as made:
        yield made


def test_an_edge_is_killed_and_another_one_joins_late(field: Field) -> None:
    viewers = [field.watch_edge(number) for number in range(EDGES)]
    t = field.feed()
    for viewer in viewers:
        viewer.wait_for("metric", t)

    field.edges[1].stop(signal.SIGKILL)
    viewers[1].wait_until_closed()
    t = field.feed()
    field.edges[1] = field.begin_edge(1)
    field.edges[1].wait_until_listening()
    late, at_camera = field.watch_edge(1), field.watch(field.camera, field.machines.middle)
    t = field.feed()
    for viewer in (viewers[0], viewers[2], late, at_camera):
        viewer.wait_for("metric", t)

    assert late.names() == at_camera.names()  # the same greeting, and the same from then on
    assert not late.gaps
    for viewer in (*viewers, late):
        field.check(viewer)


def test_nats_is_killed_and_comes_back(field: Field) -> None:
    viewers = [field.watch_edge(number) for number in range(EDGES)]
    t = field.feed()
    for viewer in viewers:
        viewer.wait_for("metric", t)

    with field.losing_nats(*range(EDGES)):
        field.nats.end(signal.SIGKILL)
    for number in range(EDGES):
        assert "upstream_lost" in field.reasons(number)
    t = field.feed()  # which the camera does not wait with
    field.nats.start()
    for viewer in viewers:
        viewer.wait_for("metric", t)

    for viewer in viewers:
        assert not viewer.gaps  # the file store had what was before, the camera what came since
        field.check(viewer)


def test_a_cable_is_pulled_and_plugged_in_again(field: Field) -> None:
    viewers = [field.watch_edge(number) for number in range(EDGES)]
    try:
        with field.losing_nats(0):
            field.machines.pull(0)
            t = field.feed()
            for viewer in viewers[1:]:
                viewer.wait_for("metric", t)
    finally:
        field.machines.plug(0)
    for viewer in viewers:
        viewer.wait_for("metric", t)
        assert not viewer.gaps
        field.check(viewer)


def test_what_nats_has_forgotten_meanwhile_is_declared(field: Field) -> None:
    viewers = [field.watch_edge(number) for number in range(EDGES)]
    first = field.feed() + 1
    for viewer in viewers:
        viewer.wait_for("metric", first - 1)
    try:
        with field.losing_nats(2):
            field.machines.pull(2)
            missed = field.feed()
            viewers[0].wait_for("metric", missed)
        field.nats.end(signal.SIGKILL)
        field.nats.forget()
        field.nats.start()
        t = field.feed()
        viewers[0].wait_for("metric", t)
    finally:
        field.machines.plug(2)
    for viewer in viewers:
        viewer.wait_for("metric", t)
        field.check(viewer)
    told = [(gap["kind"], gap["from_t"], gap["to_t"], gap["reason"]) for gap in viewers[2].gaps]
    assert ("metric", first, missed, "upstream") in told
    assert not viewers[0].gaps
