"""What can go wrong, as one family.

::

    MarketCameraError          everything this project raises on purpose
    ├── TickError              a raw tick that is not well formed, or out of order
    ├── FrameError             a frame message that is not well formed
    └── LimitError             a setting out of its range, or a limit that was reached

`marketcam.io` and `marketcam.server` add their own members below the same root.
"""

__all__ = ["FrameError", "LimitError", "MarketCameraError", "TickError"]


class MarketCameraError(Exception):
    """Root of every error this project raises on purpose."""


class TickError(MarketCameraError, ValueError):
    """A raw tick was refused whole; the window is as it was before.

    Attributes:
        t: the tick's number, or None where it could not be read.
        agent: the agent concerned, or None.
        field: where in the tick, such as ``"price"`` or ``"matches[3]"``.
        value: what stood there.
    """

    def __init__(
        self, problem: str, *, t: object = None, agent: object = None, field: str, value: object
    ) -> None:
        """Compose the message from what was seen and `problem`, the rule it breaks."""
        self.t = t
        self.agent = agent
        self.field = field
        self.value = value
        place = f"tick {t!r}" if t is not None else "tick"
        if agent is not None:
            place += f", agent {agent!r}"
        super().__init__(f"{place}: {field} {problem}, got {_shortened(value)}")


class FrameError(MarketCameraError, ValueError):
    """A frame message was refused whole.

    Attributes:
        t: the frame's tick number, or None where it could not be read.
        field: where in the message, such as ``"edges[3].w"``.
        value: what stood there.
    """

    def __init__(self, problem: str, *, t: object = None, field: str, value: object) -> None:
        """Compose the message from what was seen and `problem`, the rule it breaks."""
        self.t = t
        self.field = field
        self.value = value
        place = f"frame {t!r}" if t is not None else "frame"
        super().__init__(f"{place}: {field} {problem}, got {_shortened(value)}")


class LimitError(MarketCameraError, ValueError):
    """A setting is out of its range, or a limit was reached; the message names both."""


def _shortened(value: object, limit: int = 120) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
