"""What the measures tell apart: several markets filmed alike, as tables and plots of a page.

::

    python -m benchmarks.gallery --ticks "original V5=run.jsonl.zst"

films each market, measures its frames, and writes the tables between the marks of docs/gallery.md
anew, and the plots into docs/images. Windows do not overlap: what lasts from one frame to the next
is the market's, and not the window's. The same arguments give the same page on any machine with
these versions of the libraries.
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections import defaultdict
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from mesa.examples.advanced.sugarscape_g1mt.model import SugarscapeG1mt

from benchmarks.gallery_plots import plot_lives, plot_series
from examples.mesa_market import raw_tick
from marketcam.engine import film
from marketcam.engine.ecology import EcologyMarket
from marketcam.engine.market import InfiniteGameMarket
from marketcam.io import MeasureOptions, read_ticks
from marketcam.io.measuring.following import Following
from marketcam.io.measuring.measured import measure_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["MARKETS", "Filmed", "Market", "film_market", "main"]

PAGE: Final = Path(__file__).parent.parent / "docs" / "gallery.md"
WINDOW: Final = 50
NO_CAP: Final = 1_000_000
"""More edges than there are: what a cap would leave out is no trait of a market."""

CAPS: Final = (500, 2000, NO_CAP)
OPTIONS: Final = MeasureOptions()
GRAPHS: Final = {"match": "trades", "quote_proximity": "quote proximity"}
SHOWN: Final = {
    "density": "density",
    "isolates": "agents without an edge",
    "largest_component": "largest component",
    "degree_gini": "Gini of degrees",
    "strength_gini": "Gini of strengths",
    "transitivity": "transitivity",
    "weighted_clustering": "weighted clustering",
    "degree_assortativity": "assortativity by degree",
    "side_assortativity": "… by side",
    "experience_assortativity": "… by experience",
    "degree_centralization": "degree centralization",
    "betweenness_centralization": "betweenness centralization",
    "modularity": "modularity",
    "communities": "communities",
    "communities_kept": "… continued from the frame before",
    "communities_overlap": "… their overlap with it",
}
"""Which measures the tables show, and what they call them."""


CUT: Final = ("edges", "density", "isolates", "degree_gini", "transitivity", "modularity")
"""Measures that show what a cap does."""


@dataclass(frozen=True, slots=True)
class Market:
    """A market to film.

    Attributes:
        name: what the page calls it.
        ticks: makes its raw ticks, from the first.
        eps_pct: how near quotes have to be for an edge, as a share of the mid.
    """

    name: str
    ticks: Callable[[], Iterable[Any]]
    eps_pct: float = 0.003


def _sugarscape() -> Iterator[dict[str, Any]]:
    model = SugarscapeG1mt(initial_population=200, seed=1)
    while True:
        with warnings.catch_warnings():  # of the model's own, where nobody trades in a step
            warnings.simplefilter("ignore", RuntimeWarning)
            model.step()
        yield raw_tick(model)


MARKETS: Final = (
    Market("infinite game", lambda: InfiniteGameMarket(agents=74, seed=1)),
    Market("ecology", lambda: EcologyMarket(agents=74, seed=1), eps_pct=0.0004),
    Market("Sugarscape (Mesa)", _sugarscape, eps_pct=0.05),
)
"""The markets of the page; those of tick files are given as arguments."""


@dataclass(frozen=True, slots=True)
class Filmed:
    """What was measured of a market.

    Attributes:
        name: what the page calls it.
        rows: the measures of each frame.
        lives: how many frames each community was seen in, by graph, those cut off by the end
            of the film included.
    """

    name: str
    rows: list[dict[str, Any]]
    lives: dict[str, list[int]]

    def values(self, graph: str, measure: str) -> list[float]:
        """Return a measure over the frames in which it is defined."""
        found = (row[f"{graph}_{measure}"] for row in self.rows)
        return [value for value in found if value is not None]


def film_market(
    market: Market, frames: int, window: int = WINDOW, edge_cap: int = NO_CAP
) -> Filmed:
    """Film a market over windows that do not overlap, and measure it."""
    following = Following(OPTIONS)
    seen: dict[str, defaultdict[int, int]] = {graph: defaultdict(int) for graph in OPTIONS.graphs}
    rows = []
    options = {"W": window, "stride": window, "edge_cap": edge_cap, "eps_pct": market.eps_pct}
    filmed = film(market.ticks(), **options)  # type: ignore[arg-type]
    for frame in islice(filmed, frames):
        measured = measure_frame(frame, OPTIONS)
        values, followed = following.follow(measured)
        rows.append(measured.row() | values)
        for graph, communities in followed.items():
            for each in communities:
                seen[graph][each.community] += 1
    return Filmed(market.name, rows, {graph: list(lives.values()) for graph, lives in seen.items()})


def main(arguments: Sequence[str] | None = None) -> None:
    """Film all markets, and write tables and plots."""
    options = _parser().parse_args(arguments)
    given = [Market(name, lambda path=path: read_ticks(path)) for name, path in options.ticks]  # type: ignore[misc]
    markets = [film_market(market, options.frames, options.window) for market in (*MARKETS, *given)]
    images = options.page.parent / "images"
    images.mkdir(exist_ok=True)
    for graph in GRAPHS:
        stem = f"gallery-{graph.replace('_', '-')}"
        plot_series(images / f"{stem}.svg", markets, graph)
        plot_lives(images / f"{stem}-lives.svg", markets, graph)
    text = options.page.read_text(encoding="utf-8")
    for graph in GRAPHS:
        text = _between_marks(text, graph, _table(markets, graph))
    text = _between_marks(text, "films", _films(markets, options.window))
    text = _between_marks(text, "caps", _caps(options.frames, options.window))
    options.page.write_text(text, encoding="utf-8")


def _films(markets: Sequence[Filmed], window: int) -> str:
    """Return the table of what was filmed."""
    rows = [
        (m.name, len(m.rows), _middle([r["nodes"] for r in m.rows]), f"{len(m.rows) * window:,}")
        for m in markets
    ]
    return _markdown(("market", "frames", "agents a frame", "ticks"), rows)


def _table(markets: Sequence[Filmed], graph: str) -> str:
    """Return the measures of one graph: the median over the frames, and what half of them span."""
    shown = [m for m in markets if any(m.values(graph, "density")) and _has_edges(m, graph)]
    rows = [
        (label, *(_middle(m.values(graph, measure)) for m in shown))
        for measure, label in SHOWN.items()
    ]
    return _markdown((GRAPHS[graph], *(m.name for m in shown)), rows)


def _caps(frames: int, window: int) -> str:
    """Return the table of what a cap makes of the same market."""
    capped = {cap: film_market(MARKETS[0], frames, window, cap) for cap in CAPS}
    rows = [
        (f"`{graph}_{measure}`", *(_middle(m.values(graph, measure)) for m in capped.values()))
        for graph in GRAPHS
        for measure in CUT
    ]
    names = ("all edges" if cap == NO_CAP else f"cap {cap:,}" for cap in CAPS)
    return _markdown((MARKETS[0].name, *names), rows)


def _has_edges(market: Filmed, graph: str) -> bool:
    return any(market.values(graph, "edges"))


def _middle(values: Sequence[float]) -> str:
    """Return the median and the quartiles around it."""
    if not values:
        return "—"
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 4], ordered[(3 * len(ordered)) // 4]
    return f"{_short(median(ordered))} ({_short(low)} … {_short(high)})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}".replace("-", "−")


def _markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _between_marks(text: str, name: str, block: str) -> str:
    begin, end = f"<!-- {name}: written by benchmarks.gallery -->", "<!-- end -->"
    pattern = re.compile(rf"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    changed, count = pattern.subn(lambda _: f"{begin}\n{block}\n{end}", text)
    if count != 1:
        raise SystemExit(f"the page must have the mark {begin!r} once, has it {count} times")
    return changed


def _named_file(text: str) -> tuple[str, Path]:
    name, is_named, path = text.partition("=")
    if not is_named or not Path(path).exists():
        raise argparse.ArgumentTypeError(f"must be NAME=FILE of a file that is there, got {text!r}")
    return name, Path(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--ticks",
        metavar="NAME=FILE",
        type=_named_file,
        action="append",
        default=[],
        help="a recording of raw ticks as one more market",
    )
    parser.add_argument("--frames", type=int, default=40, help="of each market (%(default)s)")
    parser.add_argument("--window", type=int, default=WINDOW, help="ticks (%(default)s)")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write in")
    return parser


if __name__ == "__main__":
    main()
