"""An offline film in pieces, by the workers of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketcam.server.errors import ConfigurationError
from marketcam.server.pieces.cutting import usual_piece
from marketcam.server.pieces.filming import PieceRules
from marketcam.server.pieces.gathering import Gathering
from marketcam.server.pieces.items import Items
from marketcam.server.running.one_camera import checked_camera, offline_options
from marketcam.server.running.sources import open_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from marketcam.engine import Tick
    from marketcam.io.sources import BadLine
    from marketcam.server.cluster import Cluster
    from marketcam.server.settings import Settings

__all__ = ["InPieces"]


class InPieces:
    """Has a source filmed in pieces; how it is used says `offline.Work`.

    Args:
        cluster: films them.
        piece_ticks: ticks of a piece; None: as the window asks for.
        settings, market_ticks, record: as `OneCamera` has them.

    Raises:
        ConfigurationError: what is to be done at agents beyond the pair budget depends on more
            than a window.
        SourceError, LimitError: as `OneCamera` has it.
    """

    def __init__(
        self,
        cluster: Cluster,
        piece_ticks: int | None,
        settings: Settings,
        market_ticks: int | None,
        record: Callable[[str, bytes, int], None],
    ) -> None:
        if settings.pair_budget_action != "stop":
            raise ConfigurationError(
                "--pair-budget-action (IG_CAM_PAIR_BUDGET_ACTION) must be stop where a recording "
                f"is filmed in pieces, got {settings.pair_budget_action}: what comes after it "
                "depends on all ticks before"
            )
        checked_camera(settings, market_ticks)
        self._items = Items(open_source(settings, self._skip_line), market_ticks)
        self.name = self._items.name
        rules = PieceRules(
            camera=settings.camera_arguments(),
            options=offline_options(settings),
            source=self._items.name,
            unit=self._items.unit,
        )
        ticks = usual_piece(settings.window) if piece_ticks is None else piece_ticks
        self._gathering = Gathering(cluster, record, rules, ticks)

    @property
    def ticks(self) -> int:
        """Ticks taken in, and all of them recorded."""
        return self._gathering.ticks

    @property
    def last_t(self) -> int | None:
        """Number of the last of them."""
        return self._gathering.last_t

    @property
    def refused(self) -> int:
        """Ticks refused, and lines that hold none."""
        return self._gathering.refused

    @property
    def share(self) -> float | None:
        """How much of the source is recorded, 0 to 1; None where nobody knows."""
        return self._gathering.share

    @property
    def error(self) -> str | None:
        """Why it has failed; None while it has not."""
        return self._gathering.error

    def first(self) -> Tick | None:
        """Return the first tick; None without any."""
        return self._items.first()

    def start(self) -> None:
        """Begin to hand out pieces."""
        self._gathering.start(self._items)

    def wait(self, seconds: float) -> bool:
        """Wait for the end, so long at most; return whether it has ended."""
        return self._gathering.wait(seconds)

    def stop(self) -> None:
        """End after the piece that is being recorded, wait for that, and close the source."""
        self._gathering.stop()
        self._items.close()

    def _skip_line(self, bad: BadLine) -> None:
        self._gathering.skip_line(bad)
