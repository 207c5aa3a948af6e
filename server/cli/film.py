"""`marketcam film`: recorded raw ticks through the camera once more, offline."""

from __future__ import annotations

import argparse
import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from marketcam.server import logs
from marketcam.server.cli.film_seeds import film_seeds, settings_of_seeds
from marketcam.server.cli.flags import add_flag, given_settings
from marketcam.server.cli.parsing import OK, CommandTexts, UsageError, add_command, at_least, say
from marketcam.server.cli.spreading import add_cluster_flags, choice_of
from marketcam.server.cli.starting import interrupted_by_sigterm
from marketcam.server.settings import Settings, described_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from marketcam.server.cli.parsing import Parser, Subparsers
    from marketcam.server.cluster import Choice
    from marketcam.server.running.offline import MakeWork, OfflineFilm

__all__ = ["add_parser", "run"]

_TEXTS: Final = CommandTexts(
    name="film",
    arguments="[FLAG …] TICKS --store DIR\n       marketcam film [FLAG …] --market N --store DIR",
    description="""\
Film recorded raw ticks, or ticks of the embedded market, into a store, as fast as it goes. The
lines are byte for byte those that `serve` records of the same ticks with the same settings.

TICKS is a file of JSON lines (also .zst), Parquet or CSV, a store in which ticks were recorded, or
- for JSON lines on standard input. The clock is that of the ticks: the first is at --start, and
there are --tick-rate of them a second. It names and dates the segments, and says when they roll.
So two films of the same ticks with the same settings are identical files, all of them.

The film is a run of its own in the store, named by its start and a digest of its settings and its
first tick; a store that has it already is left as it is, and so is one where there is no tick to
film (exit code 1). Where a film was killed, or its disk was full, --again removes what there is of
that one film, and films it anew. Nothing else is ever removed. After Ctrl-C what was filmed is
whole and closed, and how far it came is said.

With --workers or --dask a recording is cut into pieces that overlap by a window, which are filmed
side by side; the files are the same, to the byte. With --seeds the embedded market is filmed once
for each seed, into a store for each below --store; the same command goes on where it was ended.""",
    examples="""\
  marketcam film run.jsonl.zst --W 100 --stride 5 --store ./again
  marketcam film ticks.parquet --store ./again --start 2026-01-24T12:00:00Z
  marketcam film agents.csv --matches matches.csv --store ./again --bad-tick fail
  marketcam film ./data --ticks-run 20260124_120000_4f2a9c --edge-cap 8000 --store ./wide
  marketcam film --market 360000 --agents 74 --store ./hour
  marketcam film --market 20000 --scenario ecology --agents 1000 --store ./ecology
  marketcam film ticks.parquet --store ./again --workers 4
  marketcam film --market 20000 --seeds 0:99:1 --store ./seeds --dask tcp://10.0.0.1:8786""",
)

_GROUPS: Final = {
    "camera": (
        "window",
        "stride",
        "edge_cap",
        "prox_eps_pct",
        "match_share",
        "proximity",
        "burst_z",
        "shock_z",
        "metric_downsample",
        "pair_budget_bytes",
        "pair_budget_action",
    ),
    "recording": ("segment_seconds", "segment_bytes", "zstd_level", "record_ticks"),
    "ticks": ("tick_rate", "bad_tick", "matches", "ticks_run"),
    "embedded market": (
        "scenario",
        "agents",
        "seed",
        "max_agents",
        "adjust_interval",
        "pool_only",
    ),
    "logging": ("log_level", "log_file"),
}
_ALSO: Final = {"ticks_run": ("--run",)}
_START: Final = "2000-01-01T00:00:00Z"


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to the command line."""
    parser = add_command(subparsers, _TEXTS, run)
    parser.add_argument("ticks", metavar="TICKS", nargs="?", help="the raw ticks to film")
    _add_film_flags(parser)
    _add_piece_flag(add_cluster_flags(parser))
    settings = {setting.name: setting for setting in described_settings()}
    for title, names in _GROUPS.items():
        group = parser.add_argument_group(title)
        for name in names:
            add_flag(group, settings[name], *_ALSO.get(name, ()))


def _add_film_flags(parser: Parser) -> None:
    group = parser.add_argument_group("film")
    group.add_argument(
        "--store",
        "--store-dir",
        dest="store",
        metavar="DIR",
        type=Path,
        required=True,
        help="the store to film into; made where there is none",
    )
    group.add_argument(
        "--market",
        metavar="N",
        type=at_least(1),
        help="film so many ticks of the embedded market in place of TICKS",
    )
    group.add_argument(
        "--seeds",
        metavar="SEEDS",
        help="film the embedded market for each of these, a list (1,2,5) or a range with both its "
        "ends (0:99:1), 1000 at most, into DIR/seed_0 and so on",
    )
    group.add_argument(
        "--start",
        metavar="TIME",
        type=_moment,
        default=_START,
        help=f"when the first tick was: ISO 8601, UTC where it names no zone [default {_START}]",
    )

    group.add_argument(
        "--again",
        action="store_true",
        help="where this film was begun and never finished, remove its segments and film it anew",
    )


def _add_piece_flag(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--piece-ticks",
        metavar="N",
        type=at_least(1),
        help="ticks of a piece of a recording [default 8 windows, 2000 at least]",
    )


def run(args: argparse.Namespace) -> int:
    """Film; return the exit code."""
    given, choice = _given(args), choice_of(args)
    settings = _settings(given)
    if args.seeds is not None:
        return film_seeds(args, settings_of_seeds(args.seeds, given), choice)
    from marketcam.server.cli.progress import FilmBar  # noqa: PLC0415 - rich, which --help need not
    from marketcam.server.running.compiling import compile_kernels  # noqa: PLC0415 - pulls in the kernels
    from marketcam.server.running.offline import OfflineFilm  # noqa: PLC0415 - as the kernels

    with interrupted_by_sigterm(), _who_films(choice, args.piece_ticks) as by:
        film = OfflineFilm(settings, args.start, args.market, again=args.again, by=by)
        began = time.perf_counter()
        try:
            with film:
                if choice.dask is None:
                    compile_kernels()  # local workers find them on disk
                with FilmBar(film) as bar:
                    logs.configure(settings)  # now, so that its lines go above the bar
                    logs.warn_of_unknown_variables()
                    began = time.perf_counter()
                    film.film(bar.look)
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            if interrupted or film.last_t is not None:
                say(f"{'interrupted' if interrupted else 'ended early'}: {_how_far(film)}")
            raise
    say(f"filmed {_how_far(film)}")
    say(_what(film, time.perf_counter() - began))
    return OK


@contextmanager
def _who_films(choice: Choice, piece_ticks: int | None) -> Iterator[MakeWork]:
    from marketcam.server.cluster import open_cluster  # noqa: PLC0415 - not needed for --help
    from marketcam.server.pieces.in_pieces import InPieces  # noqa: PLC0415 - pulls in the kernels
    from marketcam.server.running.one_camera import OneCamera  # noqa: PLC0415 - as above

    if choice.is_here:
        yield OneCamera
        return
    with open_cluster(choice) as cluster:
        yield partial(InPieces, cluster, piece_ticks)


def _given(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that are given, or follow from what is.

    Raises:
        UsageError: what was typed does not go together.
    """
    _check_together(args)
    given = {name: value for name, value in given_settings(args).items() if value is not None}
    # What the environment says of another source does not count: it is named here.
    given |= {"ticks": args.ticks or "", "simulator": "", "simulator_path": ""}
    if args.market is not None:
        given = {"matches": "", "ticks_run": ""} | given
    if "log_level" not in given and not os.environ.get("IG_LOG_LEVEL"):
        given["log_level"] = "warning"
    return given | {"store_dir": str(args.store)}


def _check_together(args: argparse.Namespace) -> None:
    if (args.ticks is None) == (args.market is None):
        raise UsageError("either TICKS or --market N must be given, and not both")
    if args.seeds is not None:
        if args.market is None:
            raise UsageError("--seeds are those of the embedded market: give --market N")
        if "seed" in vars(args):
            raise UsageError("either --seed or --seeds must be given, and not both")
        if args.again or args.piece_ticks is not None:
            raise UsageError("--again and --piece-ticks do not go with --seeds")
    elif args.piece_ticks is not None and args.dask is None and args.workers is None:
        raise UsageError("--piece-ticks goes with --workers or --dask")


def _settings(given: Mapping[str, Any]) -> Settings:
    settings = Settings.from_flags(given)
    if settings.tick_rate == 0:
        raise UsageError("--tick-rate (IG_TICK_RATE) must be more than 0: it is the film's clock")
    return settings


def _how_far(film: OfflineFilm) -> str:
    if film.last_t is None or film.run is None:
        return "no tick was filmed"
    refused = f", {film.refused:,} refused" if film.refused else ""
    return f"{film.ticks:,} ticks, to tick {film.last_t}{refused}, as run {film.run.id}"


def _what(film: OfflineFilm, seconds: float) -> str:
    totals = film.totals()
    lines = ", ".join(f"{totals[kind].lines:,} {kind}" for kind in sorted(totals))
    json_bytes = sum(total.json_bytes for total in totals.values())
    file_bytes = sum(total.file_bytes for total in totals.values())
    return (
        f"{lines}: {json_bytes / 1e6:,.1f} MB of JSON in {file_bytes / 1e6:,.1f} MB of segments; "
        f"{seconds:.1f} s, {film.ticks / seconds:,.0f} ticks/s, {json_bytes / 1e6 / seconds:,.0f} "
        "MB/s of JSON"
    )


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a moment such as {_START}, got {text!r}"
        ) from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if moment.timestamp() < 0:
        raise argparse.ArgumentTypeError(f"must lie in 1970 or later, got {text!r}")
    return moment
