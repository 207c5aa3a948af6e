"""What the tests of `marketcam.io.store` share: a clock that is set, lines, and honest readers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
import zstandard

from marketcam.io.store import Clock, DiskUse, Recorder, RecorderOptions, Store, ZstdSegmentWriter
from marketcam.io.store.names import names_in

if TYPE_CHECKING:
    from pathlib import Path

NOON = 1_769_256_000.0  # 2026-01-24T12:00:00Z
DEAD_WRITER_LINES = 40
ROOMY = DiskUse(used_bytes=0, free_bytes=1000)


class SetClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now
        self.clock = Clock(wall=lambda: self.now, steady=lambda: self.now)

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Events:
    """Collects what a part says."""

    seen: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, level: str, event: str, /, **fields: Any) -> None:
        self.seen.append((level, event, fields))

    def named(self, event: str) -> list[dict[str, Any]]:
        return [fields for _, name, fields in self.seen if name == event]

    @property
    def names(self) -> list[str]:
        return [name for _, name, _ in self.seen]


def line(t: int, note: str = "") -> bytes:
    return orjson.dumps({"type": "metric", "t": t, "note": note})


def lines(start: int, stop: int) -> list[bytes]:
    return [line(t, f"number {t * 7919 % 1000}") for t in range(start, stop)]


def one_call(path: Path) -> list[bytes]:
    """Read a closed segment as the plainest client would: one call, no options."""
    return zstandard.ZstdDecompressor().decompress(path.read_bytes()).splitlines()


def streamed(path: Path) -> bytes:
    """Read as much of a file as a streaming decoder gives, without our own reader."""
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read()


def files(store: Path, kind: str = "metrics") -> list[str]:
    return sorted(path.name for path in (store / kind).iterdir())


def segment_files(store: Path, kind: str = "metrics") -> list[Path]:
    """Return the segment files, closed and pending, in the order in which they were opened."""
    return [store / kind / str(name) for name in names_in(store / kind)]


def manifest(store: Path, kind: str = "metrics") -> list[dict[str, Any]]:
    records = orjson.loads((store / kind / "manifest.json").read_bytes())
    assert isinstance(records, list)
    return records


def leave_pending(store: Path, count: int = DEAD_WRITER_LINES, start: int = 0) -> Path:
    """Write lines with a flush every fifth, then die without closing; return the pending file."""
    writer = ZstdSegmentWriter("metrics", store, clock=SetClock().clock)
    for number, text in enumerate(lines(start, start + count)):
        writer.write_line(text, start + number)
        if number % 5 == 4:
            writer.flush()
    die(writer)
    (pending,) = (store / "metrics").glob("*_pending.jsonl.zst")
    return pending


def die(writer: ZstdSegmentWriter) -> None:
    """Do to a writer's open file and its lock what the end of its process does."""
    assert writer._segment is not None
    writer.abandon()


def recovered_lines(store: Path) -> list[bytes]:
    """Check that the store is in order and return its lines, as a plain client would read them."""
    records = list({record["path"]: record for record in manifest(store)}.values())
    records = [record for record in records if not record.get("removed")]
    assert [record["path"] for record in records] == [
        f"metrics/{path.name}" for path in segment_files(store)
    ]
    found = []
    for record in records:
        path = store / record["path"]
        parameters = zstandard.get_frame_parameters(path.read_bytes())
        texts = one_call(path)
        assert record["lines"] == len(texts) > 0
        assert record["bytes"] == path.stat().st_size
        assert record["start_t"] == int(path.name.split("_")[3].split(".")[0])
        assert record["pending"] is False
        assert parameters.has_checksum
        assert parameters.content_size == sum(len(text) + 1 for text in texts)
        found.extend(texts)
    assert list(Store(store).lines("metrics")) == found
    return found


def recorder_in(
    store: Path, clock: SetClock | None = None, events: Events | None = None, **options: object
) -> Recorder:
    return Recorder(
        RecorderOptions(store, **options),  # type: ignore[arg-type]
        clock=(clock or SetClock()).clock,
        usage=lambda _: ROOMY,
        on_event=events or Events(),
    )


def record(recorder: Recorder, start: int, stop: int, kind: str = "metrics") -> None:
    for number, text in enumerate(lines(start, stop), start):
        recorder.write(kind, text, number)
