"""What the commands share that spread their work: where it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketcam.server.cli.parsing import at_least

if TYPE_CHECKING:
    import argparse

    from marketcam.server.cli.parsing import Parser
    from marketcam.server.cluster.choice import Choice

__all__ = ["add_cluster_flags", "choice_of"]


def add_cluster_flags(parser: Parser) -> argparse._ArgumentGroup:
    """Add `--dask` and `--workers`; return their group."""
    group = parser.add_argument_group("cluster", "pip install 'marketcam[cluster]'")
    group.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="have it done by the workers of this Dask scheduler, tcp://HOST:PORT, or "
        "tls://HOST:PORT as Dask's own configuration has it",
    )
    group.add_argument(
        "--workers",
        metavar="N",
        type=at_least(1),
        help="have it done by N processes of this machine, up to 4 for each processor",
    )
    return group


def choice_of(args: argparse.Namespace) -> Choice:
    """Return where the work is done.

    Raises:
        LimitError: that is no choice; see `Choice`.
    """
    from marketcam.server.cluster.choice import Choice  # noqa: PLC0415 - not needed for --help

    return Choice(dask=args.dask, workers=args.workers)
