"""`marketcam film --seeds`: the embedded market, filmed for many seeds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from marketcam.server import logs
from marketcam.server.cli.parsing import OK, say
from marketcam.server.cli.starting import interrupted_by_sigterm
from marketcam.server.settings import Settings, described_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from marketcam.server.cli.progress import SeedBar
    from marketcam.server.cluster import Choice, Cluster
    from marketcam.server.pieces.seeds import SeedFilm, SeedRequest

__all__ = ["film_seeds", "settings_of_seeds", "without_secrets"]

_SHOWN_WITH_SECRETS: Final = ("nats_user", "nats_credentials")
"""Are no secrets by themselves, and nothing without the password, or the file that they name."""


def settings_of_seeds(text: str, given: Mapping[str, Any]) -> list[Settings]:
    """Return the settings of a film for each seed of a list or range, each seed once.

    Raises:
        SettingsError: it is neither, or a seed is out of its range.
    """
    from marketcam.server.profiling.axes import axis_texts  # noqa: PLC0415 - as the command needs it

    seeds = axis_texts("--seeds", text)
    films = (Settings.from_flags({**given, "seed": seed}) for seed in seeds)
    return list({film.seed: film for film in films}.values())  # 1 and 01 are one seed


def film_seeds(args: argparse.Namespace, films: Sequence[Settings], choice: Choice) -> int:
    """Film every seed that is not there yet; return the exit code."""
    from marketcam.server.cluster import open_cluster  # noqa: PLC0415 - pulls in the kernels
    from marketcam.server.pieces.seeds import SeedRequest, folder_aside  # noqa: PLC0415 - as above
    from marketcam.server.running.compiling import compile_kernels  # noqa: PLC0415 - as above
    from marketcam.server.running.one_camera import checked_camera  # noqa: PLC0415 - as above

    checked_camera(films[0], args.market)
    logs.configure(films[0])
    logs.warn_of_unknown_variables()
    store = films[0].store_dir.absolute()
    with interrupted_by_sigterm(), folder_aside(store) as aside, open_cluster(choice) as cluster:
        if choice.dask is None:
            compile_kernels()
        requests = [
            SeedRequest(without_secrets(settings, store), args.start, args.market, aside)
            for settings in films
        ]
        return _filmed(requests, cluster)


def without_secrets(settings: Settings, store: Path) -> Settings:
    """Return them as they may travel, for a store: a film has no use for what opens doors."""
    secrets = [setting.name for setting in described_settings() if setting.is_secret]
    hidden = dict.fromkeys((*secrets, *_SHOWN_WITH_SECRETS))
    return settings.model_copy(update=hidden | {"store_dir": store})


def _filmed(requests: Sequence[SeedRequest], cluster: Cluster) -> int:
    from marketcam.server.cli.progress import SeedBar  # noqa: PLC0415 - rich, which --help need not
    from marketcam.server.pieces.seeds import film_seed  # noqa: PLC0415 - pulls in the kernels

    films: list[SeedFilm] = []
    began = time.perf_counter()
    try:
        with SeedBar(len(requests)) as bar:
            begun = _told(requests, bar)
            for _, film in cluster.spread(film_seed, begun, in_order=False):
                films.append(film)
                bar.advance()
    except BaseException:
        store = requests[0].settings.store_dir
        done = f"{len(films):,} of {len(requests):,} seeds are filmed in {store}"
        say(f"ended early: {done}; the same command goes on from there")
        raise
    say(_what(films, time.perf_counter() - began))
    return OK


def _told(requests: Sequence[SeedRequest], bar: SeedBar) -> Iterator[SeedRequest]:
    for request in requests:
        bar.begin(str(request))
        yield request


def _what(films: Sequence[SeedFilm], seconds: float) -> str:
    new = [film for film in films if film.is_new]
    before = f", {len(films) - len(new):,} of them before" if len(new) < len(films) else ""
    ticks, json_bytes, file_bytes = (
        sum(getattr(film, name) for film in new) for name in ("ticks", "json_bytes", "file_bytes")
    )
    size = f"{json_bytes / 1e6:,.1f} MB of JSON in {file_bytes / 1e6:,.1f} MB of segments"
    speed = f"{seconds:.1f} s, {ticks / seconds:,.0f} ticks/s"
    return f"filmed {len(films):,} seeds{before}: {ticks:,} ticks, {size}; {speed}"
