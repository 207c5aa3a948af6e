"""How fast does `TickPublisher` send, and what does that cost the simulation?

::

    python -m benchmarks.publish --agents 50000 --ticks 500
    python -m benchmarks.publish --agents 2 --ticks 20000 --form dict

The server of `benchmarks.ingest` in a process of its own, with nothing behind the transport unless
`--camera` is given; the publisher in this one, with ticks made beforehand. Processor time is that
of all threads of this process, from the first tick to the last acknowledgement.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from benchmarks.ingest import TICKS_MADE, TOKEN, processor_seconds, server
from benchmarks.workloads import endless_market
from marketcam.engine import Tick
from marketcam.io import TickPublisher, encode_tick_binary

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.workloads import ArrayTick


def publishing(publisher: TickPublisher, made: list[ArrayTick], form: str) -> Callable[[int], None]:
    """Return what publishes the tick of a number in a form."""
    columns = [
        (tick.mid, tick.agent_id, tick.experience, tick.side, tick.price, tick.matches)
        for tick in made
    ]
    if form == "arrays":
        return lambda t: publisher.publish_arrays(t, *columns[t % len(columns)])
    raws = [Tick(0, *column).to_dict() for column in columns]
    return lambda t: publisher.publish(raws[t % len(raws)] | {"t": t})


def publish(port: int, options: argparse.Namespace) -> dict[str, Any]:
    """Publish so many ticks; return what that took, and the processor time of this process."""
    made = list(islice(endless_market(options.agents, seed=1), TICKS_MADE))
    first = made[0]
    columns = (first.mid, first.agent_id, first.experience, first.side, first.price, first.matches)
    size = len(encode_tick_binary(Tick(0, *columns)))
    with TickPublisher(f"http://127.0.0.1:{port}", TOKEN, source="benchmark") as publisher:
        send = publishing(publisher, made, options.form)
        send(0)
        publisher.flush()
        began, processor = time.perf_counter(), processor_seconds()
        for t in range(1, options.ticks + 1):
            send(t)
        publisher.flush()
        seconds, processor = time.perf_counter() - began, processor_seconds() - processor
    return {
        "ticks": options.ticks,
        "seconds": seconds,
        "ticks_per_second": options.ticks / seconds,
        "megabytes_per_second": options.ticks * size / seconds / 1e6,
        "tick_bytes": size,
        "publisher_cpu_ms_per_tick": 1000 * processor / options.ticks,
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run a server and a publisher; return the figures of both."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=server, args=(options, theirs))
    process.start()
    theirs.close()
    try:
        figures = publish(ours.recv(), options)
        ours.send("stop")
        figures["server_cpu_ms_per_tick"] = 1000 * ours.recv()["cpu_seconds"] / options.ticks
    finally:
        process.join()
    return figures


def main() -> None:
    """Measure once, and print the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--agents", type=int, default=50_000)
    parser.add_argument("--ticks", type=int, default=500)
    parser.add_argument("--form", choices=["arrays", "dict"], default="arrays")
    parser.add_argument("--camera", choices=["pairs", "neighbors"], help="film them as well")
    print(json.dumps(measure(parser.parse_args()), indent=1))


if __name__ == "__main__":
    main()
