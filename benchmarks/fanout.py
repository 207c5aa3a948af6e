"""How many viewers does the server reach, how soon, and what does it cost? Beside other servers.

::

    python -m benchmarks.fanout deliveries          # small metrics: CPU a delivery
    python -m benchmarks.fanout crowd               # 5,000 clients of `marketcam serve`
    python -m benchmarks.fanout stalled             # some clients never read
    python -m benchmarks.fanout soak                # clients come and go for 15 minutes
    python -m benchmarks.fanout frames              # large frames: beside the loopback's own speed

Every server is a process of its own, and so are the viewers: raw sockets, which check that every
message comes once and in order and how old it is when it is read. Servers are compared turn by
turn, and ratios are those of turns that followed each other; figures are medians. Exits with 1
where a target is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.fanout_cases import WAYS, deliveries, frames
from benchmarks.fanout_limits import crowd, stalled
from benchmarks.fanout_soak import soak
from benchmarks.machine import describe, listed

if TYPE_CHECKING:
    from collections.abc import Sequence


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.fanout",
        description=(__doc__ or "").split("\n", maxsplit=1)[0],
    )
    cases = made.add_subparsers(required=True, metavar="CASE")

    def case(run, clients: int, repetitions: int | None = None) -> argparse.ArgumentParser:  # type: ignore[no-untyped-def]
        added = cases.add_parser(
            run.__name__,
            help=run.__doc__.split("\n")[0],
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        added.set_defaults(run=run)
        added.add_argument("--clients", type=int, default=clients, help="of each server")
        added.add_argument("--readers", type=int, default=2, help="processes for the clients")
        if repetitions is not None:
            added.add_argument("--repetitions", type=int, default=repetitions, help="turns of each")
        added.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
        return added

    small = case(deliveries, 1000, 7)
    small.add_argument("--together", type=int, nargs="+", default=[1, 2, 4], help="ready at once")
    small.add_argument("--moments", type=int, default=20, help="of a turn, when some are ready")
    small.add_argument("--rate", type=float, default=20.0, help="such moments a second")
    small.add_argument("--size", type=int, default=200, help="bytes of a metric")
    small.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="to compare")
    large = case(frames, 100, 5)
    large.add_argument("--size", type=int, default=3_800_000, help="bytes of a frame")
    large.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="to compare")
    many = case(crowd, 5000)
    many.add_argument("--rate", type=float, default=20.0, help="ticks a second")
    many.add_argument("--seconds", type=float, default=20.0, help="to measure")
    deaf = case(stalled, 1000)
    deaf.add_argument("--stalled", type=int, default=50, help="clients that never read")
    deaf.add_argument("--slow-seconds", type=float, default=20.0, help="until they are sent away")
    deaf.add_argument("--fill", type=int, default=64_000, help="bytes of a frame, to stall them")
    deaf.add_argument("--moments", type=int, default=20, help="metrics of a turn")
    deaf.add_argument("--rate", type=float, default=20.0, help="metrics a second")
    long = case(soak, 200)
    long.add_argument("--minutes", type=float, default=15.0, help="how long")
    long.add_argument("--leavers", type=int, default=2, help="processes of clients that leave")
    long.add_argument("--rate", type=float, default=20.0, help="metrics a second")
    long.add_argument("--frame", type=int, default=200_000, help="bytes of a frame")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as the command line says, print what came out and return the exit code."""
    options = parser().parse_args(arguments)
    found = options.run(options)
    print(f"{listed()}\n\n{found.text()}")
    if options.json is not None:
        told = {"machine": describe(), "case": found.title, "checks": found.checks}
        options.json.write_text(json.dumps(told | found.figures, indent=2) + "\n", "utf-8")
    return 0 if all(found.checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
