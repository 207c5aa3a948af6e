"""A program: an honest viewer in a process of its own, so that no attacker slows it down.

It reads one stream and checks that it is whole. A line on standard input asks for a report, a
line of JSON: ``report`` for one at once, ``reach T`` for one as soon as the metric of tick T is
here, or the stream has ended.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


class Viewer:
    """What has been seen of a stream.

    Attributes:
        last: tick of the last message, by kind.
        seen: messages, by kind.
        faults: what should not have come: gaps declared and not declared, and the stream's end.
    """

    def __init__(self, stride: int) -> None:
        self.last: dict[str, int] = {}
        self.seen = {"metric": 0, "frame": 0}
        self.faults: list[str] = []
        self._step = {"metric": 1, "frame": stride}
        self._changed = threading.Condition()

    def take(self, text: str | bytes) -> None:
        """Check the next message."""
        message: dict[str, Any] = json.loads(text)
        kind = message["type"]
        with self._changed:
            if kind in self.seen:
                due = self.last.get(kind, message["t"] - self._step[kind]) + self._step[kind]
                if message["t"] != due:
                    self.faults.append(f"{kind} of {message['t']} came instead of that of {due}")
                self.last[kind] = message["t"]
                self.seen[kind] += 1
            elif kind != "heartbeat":
                self.faults.append(str(text))
            self._changed.notify_all()

    def end(self, reason: str) -> None:
        """Note that nothing more will come."""
        with self._changed:
            self.faults.append(reason)
            self._changed.notify_all()

    def reach(self, t: int) -> None:
        """Wait until the metric of a tick is here, or something is wrong."""
        with self._changed:
            self._changed.wait_for(lambda: self.faults or self.last.get("metric", -1) >= t)

    def report(self) -> str:
        """Return what there is to say, as JSON."""
        with self._changed:
            return json.dumps({"last": self.last, "seen": self.seen, "faults": self.faults})


def main(url: str, stride: int) -> None:
    """Read a stream until standard input ends."""
    viewer = Viewer(stride)
    with connect(url, proxy=None, max_size=None) as stream:
        threading.Thread(target=receive_all, args=(stream, viewer), daemon=True).start()
        for line in sys.stdin:
            word, *rest = line.split()
            if word == "reach":
                viewer.reach(int(rest[0]))
            print(viewer.report(), flush=True)


def receive_all(stream: Any, viewer: Viewer) -> None:
    """Take every message until the stream ends."""
    try:
        for message in stream:
            viewer.take(message)
        viewer.end("the stream was ended")
    except ConnectionClosed as closed:
        viewer.end(f"the stream was cut: {closed}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
