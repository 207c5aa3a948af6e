"""Checks of the store: its folder, its lock, room and speed of its disk, and the kernels' cache."""

from __future__ import annotations

import os
import tempfile
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from marketcam.io.store.lock import living_writer
from marketcam.io.store.retention import disk_use
from marketcam.server.doctor.finding import Finding, ok, problem, warning

if TYPE_CHECKING:
    from pathlib import Path

    from marketcam.server.settings import Settings

__all__ = ["check_disk_room", "check_disk_speed", "check_kernels", "check_lock", "check_store"]

_MIB: Final = 2**20
_PIECES: Final = 8
"""Written for the measurement, of a MiB each."""
_SYNCS: Final = 5
_LEAST_BYTES: Final = 64 * _MIB
_HOURS: Final = 24
_NODE_BYTES, _EDGE_BYTES, _METRIC_BYTES, _TICK_BYTES = 340, 95, 190, 90
"""JSON of a node, an edge, a metric, and an agent of a recorded tick, at most."""
_RATIO: Final = 6
"""By how much zstd shrinks that, at least: frames of 10,000 agents; those of 74 to a 17th."""


def check_store(settings: Settings) -> Finding:
    """Is the store's folder there, or can it be made, and written?"""
    store = settings.store_dir
    place = nearest_folder(store)
    if store.exists() and not store.is_dir():
        return problem("store", f"{store} is not a folder", "set IG_CAM_STORE_DIR to one")
    if (refusal := _refusal_of(place)) is not None:
        text = f"user {os.geteuid()} cannot write to {place}: {refusal}"
        return problem("store", text, f"chown it, or set IG_CAM_STORE_DIR to another than {store}")
    state = "can be written" if place == store else f"will be made in {place}"
    return ok("store", f"{store} {state}")


def check_lock(settings: Settings) -> Finding:
    """Is another process writing to it?"""
    writer = living_writer(settings.store_dir)
    if writer is None:
        return ok("store lock", "nobody else is writing")
    text = f"process {writer} writes to {settings.store_dir}"
    return problem("store lock", text, "stop it first, or set IG_CAM_STORE_DIR to another folder")


def check_disk_room(settings: Settings) -> Finding:
    """How long does the room on the disk last, and what happens then?"""
    disk = disk_use(nearest_folder(settings.store_dir))
    text = f"{disk.free_bytes / 1e9:.1f} GB free, {disk.used_pct:.0f} % used"
    if disk.free_bytes < _LEAST_BYTES:
        return problem("disk room", text, "make room")
    if disk.used_pct >= settings.disk_start_pct:
        remedy = "make room, or raise IG_CAM_DISK_START_PCT: from there on old segments are removed"
        return warning("disk room", text, remedy)
    rate = written_a_second(settings)
    if rate is None:
        return ok("disk room", text)
    hours = -disk.bytes_above(settings.disk_start_pct) / rate / 3600
    text += f", lasts {hours:.0f} h at {_shown(rate, settings)}"
    is_bounded = settings.retain_bytes or settings.retain_seconds
    if hours < _HOURS and not is_bounded:
        remedy = "after that the oldest segments go; set IG_CAM_RETAIN_BYTES or _SECONDS yourself"
        return warning("disk room", text, remedy)
    return ok("disk room", text)


def check_disk_speed(settings: Settings) -> Finding:
    """Does the disk take what is to be written, and sync it in time? Writes 8 MiB for that."""
    place = nearest_folder(settings.store_dir)
    try:
        speed = measured(place)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return problem("disk speed", f"cannot write to {place}: {reason}", "see the store's checks")
    text = f"{speed.bytes_a_second / 1e6:.0f} MB/s, a sync takes {1000 * speed.sync:.1f} ms"
    rate = written_a_second(settings)
    if rate is not None:
        text += f"; to be written: {_shown(rate, settings)}"
        if speed.bytes_a_second < rate:
            remedy = "a faster disk, a longer IG_CAM_STRIDE, or a lower IG_CAM_EDGE_CAP"
            return problem("disk speed", text, remedy)
    if speed.sync > settings.fsync_seconds:
        longest = f"IG_CAM_FSYNC_SECONDS={settings.fsync_seconds:g}"
        return warning("disk speed", text, f"a power loss costs more than {longest}")
    return ok("disk speed", text)


def check_kernels(_: Settings) -> Finding:
    """Are the kernels compiled, and if not, can they be kept?"""
    from marketcam.engine import warm_up  # noqa: F401, PLC0415 - loads the compiler, and all kernels
    from marketcam.engine.jit import loaded_kernels  # noqa: PLC0415 - as above
    from marketcam.engine.kernel_cache import KernelCache, cache_folders  # noqa: PLC0415 - as above
    from marketcam.io import warm_up_encoders  # noqa: F401, PLC0415 - as above

    kernels = loaded_kernels().values()
    caches = [each._cache for each in kernels if isinstance(each._cache, KernelCache)]  # noqa: SLF001 - set by `kernel`
    warm = sum(cache.is_kept for cache in caches)
    folders = cache_folders(os.environ)
    writable = next((f for f in folders if _refusal_of(nearest_folder(f)) is None), None)
    text = f"{warm} of {len(caches)} kernels are compiled"
    if warm < len(caches) and writable is None:
        return warning(
            "kernels", f"{text}, and none can be kept", "set NUMBA_CACHE_DIR to a folder"
        )
    if warm < len(caches):
        text += f"; the first start compiles the others into {writable}, for a minute or two"
    return ok("kernels", text)


def _refusal_of(folder: Path) -> str | None:
    """Return why no file can be made in a folder; None where one can, as was tried."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


class Speed(NamedTuple):
    """What a disk does: bytes a second, synced, and the seconds of the slowest small sync."""

    bytes_a_second: float
    sync: float


def measured(folder: Path) -> Speed:
    """Write a file in a folder, and remove it; return how fast that went.

    Raises:
        OSError: it cannot be written.
    """
    piece = os.urandom(_MIB)  # that no file system can shrink
    with tempfile.TemporaryFile(dir=folder) as file:
        began = time.perf_counter()
        for _ in range(_PIECES):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
        seconds = time.perf_counter() - began
        syncs = []
        for _ in range(_SYNCS):
            began = time.perf_counter()
            file.write(piece[:4096])
            file.flush()
            os.fsync(file.fileno())
            syncs.append(time.perf_counter() - began)
    return Speed(_PIECES * _MIB / seconds, max(syncs))


def written_a_second(settings: Settings) -> float | None:
    """Return the bytes a second that the settings have written at most; None where no pace says.

    Of a market that grows without a limit, as it is at its first agents.
    """
    if settings.source != "market" or not settings.pace:
        return None
    agents = max(settings.agents, settings.max_agents)
    frame = agents * _NODE_BYTES + settings.edge_cap * _EDGE_BYTES
    line = frame / settings.stride + _METRIC_BYTES / settings.metric_downsample
    if settings.record_ticks:
        line += agents * _TICK_BYTES
    return settings.pace * line / _RATIO


def _shown(rate: float, settings: Settings) -> str:
    told = f"{rate / 1e6:.2f} MB/s"
    if settings.max_agents:
        return told
    return f"{told} with the first {settings.agents} agents, and more as the market grows"


def nearest_folder(path: Path) -> Path:
    """Return a folder, or where it would be made: the nearest above it that is there."""
    return next(each for each in (path, *path.absolute().parents) if each.is_dir())
