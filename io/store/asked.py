"""What may be asked of a recording, wherever it lies."""

from __future__ import annotations

from marketcam.engine.errors import LimitError

__all__ = ["check_asked"]


def check_asked(from_t: int | None, to_t: int | None, every: int) -> None:
    """Refuse ticks that are the wrong way round, and what is no each so many-th.

    Raises:
        LimitError: names the field, the value and the limit.
    """
    if from_t is not None and to_t is not None and from_t > to_t:
        raise LimitError(f"from_t must be at most to_t ({to_t}), got {from_t}")
    if every < 1:
        raise LimitError(f"every must be at least 1, got {every}")
