"""What a viewer may tell a replay: control messages, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import orjson

from marketcam.server.errors import ServerError
from marketcam.server.web.asking import MAX_T

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from marketcam.server.web.asking import Span

__all__ = [
    "MAX_SPEED",
    "MAX_STEPS",
    "MIN_SPEED",
    "Control",
    "ControlError",
    "Pause",
    "Play",
    "Seek",
    "Speed",
    "Step",
    "check_speed",
    "parse_control",
]

MIN_SPEED: Final = 0.01
MAX_SPEED: Final = 10_000.0
"""Slowest and fastest pace, in multiples of the recorded one; 0 is as fast as the client goes."""

MAX_STEPS: Final = 1000
"""Frames that one control message may ask for."""


class ControlError(ServerError):
    """A control message that cannot be followed; names field, value and range."""


@dataclass(frozen=True, slots=True)
class Play:
    """Go on."""

    type: Literal["play"] = "play"


@dataclass(frozen=True, slots=True)
class Pause:
    """Stand still."""

    type: Literal["pause"] = "pause"


@dataclass(frozen=True, slots=True)
class Seek:
    """Go on from tick `t`."""

    t: int
    type: Literal["seek"] = "seek"


@dataclass(frozen=True, slots=True)
class Speed:
    """Go on at `speed` times the recorded pace."""

    speed: float
    type: Literal["speed"] = "speed"


@dataclass(frozen=True, slots=True)
class Step:
    """Give the next `n` frames, and stand still again."""

    n: int
    type: Literal["step"] = "step"


Control: TypeAlias = Play | Pause | Seek | Speed | Step


def check_speed(speed: float) -> float:
    """Return a speed.

    Raises:
        ControlError: it is out of range.
    """
    if speed != 0 and not MIN_SPEED <= speed <= MAX_SPEED:
        raise ControlError(f"speed must be 0, or {MIN_SPEED:g} to {MAX_SPEED:g}, got {speed!r:.40}")
    return float(speed)


def parse_control(text: str | bytes, span: Span) -> Control:
    """Read a control message to a replay of `span`.

    Raises:
        ControlError: it is none, or asks for what cannot be.
    """
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ControlError(f"a control message must be a JSON object, got {text!r:.60}") from error
    if not isinstance(message, dict):
        raise ControlError(f"a control message must be a JSON object, got {text!r:.60}")
    wanted = message.get("type")
    read = _READERS.get(wanted) if isinstance(wanted, str) else None
    if read is None:
        raise ControlError(f"type must be one of {', '.join(_READERS)}, got {wanted!r:.60}")
    return read(message, span)


def _seek(message: dict[str, Any], span: Span) -> Seek:
    least = -MAX_T if span.from_t is None else span.from_t
    most = MAX_T if span.to_t is None else span.to_t
    return Seek(_integer(message, "t", least, most))


def _speed(message: dict[str, Any], _: Span) -> Speed:
    speed = message.get("speed")
    if isinstance(speed, bool) or not isinstance(speed, int | float):
        raise ControlError(f"speed must be a number, got {speed!r:.40}")
    return Speed(check_speed(speed))


def _step(message: dict[str, Any], _: Span) -> Step:
    return Step(_integer(message, "n", 1, MAX_STEPS) if "n" in message else 1)


def _integer(message: dict[str, Any], name: str, least: int, most: int) -> int:
    value = message.get(name)
    if type(value) is not int or not least <= value <= most:
        raise ControlError(f"{name} must be an integer, {least} to {most}, got {value!r:.40}")
    return value


_READERS: Final[Mapping[str, Callable[[dict[str, Any], Span], Control]]] = {
    "play": lambda *_: Play(),
    "pause": lambda *_: Pause(),
    "seek": _seek,
    "speed": _speed,
    "step": _step,
}
