"""Films of the embedded market, one for each of many seeds, each in a store of its own.

A seed is filmed in a folder aside, which takes its place when the film is whole: so a seed's store
is there and complete, or not there. What a lost worker or an interrupt leaves is in the folder
aside, and the same command later films only what is missing.
"""

from __future__ import annotations

import shutil
from contextlib import closing, contextmanager
from dataclasses import dataclass
from errno import EEXIST, ENOTEMPTY
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from marketcam.io.store import Store, StoreError
from marketcam.io.store.files import make_folder, sync_folder
from marketcam.io.store.lock import StoreLock
from marketcam.server.running.offline import OfflineFilm, offline_run
from marketcam.server.running.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from marketcam.io.sources import BadLine
    from marketcam.server.settings import Settings

__all__ = ["SeedFilm", "SeedRequest", "film_seed", "folder_aside", "store_of"]

_ASIDE: Final = ".filming_"
_OCCUPIED: Final = (EEXIST, ENOTEMPTY)


@dataclass(frozen=True, slots=True)
class SeedRequest:
    """One seed, as it travels.

    Attributes:
        settings: of the film; the store is that of all seeds, which holds one for each.
        start: moment of the first tick.
        market_ticks: ticks of the market.
        aside: the folder in which it is filmed, which every worker sees under this path.
    """

    settings: Settings
    start: datetime
    market_ticks: int
    aside: Path

    def __str__(self) -> str:
        return f"seed {self.settings.seed}"


@dataclass(frozen=True, slots=True)
class SeedFilm:
    """What came of a seed.

    Attributes:
        run: the run's name.
        is_new: whether it was filmed now, and not before.
        ticks: ticks filmed now.
        json_bytes, file_bytes: what they made.
    """

    run: str
    is_new: bool
    ticks: int = 0
    json_bytes: int = 0
    file_bytes: int = 0


def store_of(store_dir: Path, seed: int) -> Path:
    """Return where the store of a seed lies."""
    return store_dir / f"seed_{seed}"


@contextmanager
def folder_aside(store_dir: Path) -> Iterator[Path]:
    """Yield a folder beside the stores of the seeds, for films in the making.

    What a process that was killed has left of such is removed, and this one at the end, but for
    what a worker that was taken for lost still writes: the next film removes that.

    Raises:
        StoreBusyError: another process films seeds there.
        OSError: it cannot be made.
    """
    with StoreLock(store_dir):
        for left in store_dir.glob(f"{_ASIDE}*"):
            shutil.rmtree(left, ignore_errors=True)  # a worker elsewhere may be at work in it
        aside = store_dir / f"{_ASIDE}{uuid4().hex[:8]}"
        make_folder(aside)
        try:
            yield aside
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def film_seed(request: SeedRequest) -> SeedFilm:
    """Film a seed, unless its store is there.

    Raises:
        StoreError: the folder aside cannot be seen from here, or another film has the seed's place.
        ServerError, LimitError: as `OfflineFilm` has it.
    """
    settings = request.settings
    store = store_of(settings.store_dir, settings.seed)
    if store.exists():
        return SeedFilm(_run_in(store, request), is_new=False)
    if not request.aside.is_dir():
        raise StoreError(
            f"{request.aside} is not to be seen from a worker: seeds are filmed where the workers "
            "are, so that --store must be the same folder for all of them"
        )
    making = request.aside / f"seed_{settings.seed}_{uuid4().hex[:8]}"
    try:
        made = _filmed(request, making)
        return made if _put_in_place(making, store) else SeedFilm(made.run, is_new=False)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _filmed(request: SeedRequest, store: Path) -> SeedFilm:
    settings = request.settings.model_copy(update={"store_dir": store})
    with OfflineFilm(settings, request.start, request.market_ticks) as film:
        film.film(_look_at_nothing)
    assert film.run is not None  # noqa: S101 - a film without a tick has raised
    totals = film.totals().values()
    return SeedFilm(
        film.run.id,
        is_new=True,
        ticks=film.ticks,
        json_bytes=sum(total.json_bytes for total in totals),
        file_bytes=sum(total.file_bytes for total in totals),
    )


def _put_in_place(making: Path, store: Path) -> bool:
    """Return whether it was put there; a twin, whose worker was taken for lost, may be quicker."""
    try:
        making.rename(store)
    except OSError as error:
        if error.errno not in _OCCUPIED:
            raise
        return False
    sync_folder(store.parent)
    return True


def _run_in(store: Path, request: SeedRequest) -> str:
    """Return the run of a seed that was filmed before.

    Raises:
        StoreError: what is there is no whole film of this seed with these settings.
    """
    settings = request.settings
    with closing(open_source(settings, _skip)) as market:
        first = next(iter(market))
    run = offline_run(settings, request.start, request.market_ticks, first).id
    if not any(found.id == run and found.ended_at is not None for found in Store(store).runs()):
        raise StoreError(
            f"{store} is there, and does not hold the run {run}: give another --store, or remove it"
        )
    return run


def _skip(_: BadLine) -> None:
    pass


def _look_at_nothing() -> None:
    pass
