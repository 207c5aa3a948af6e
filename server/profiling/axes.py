"""Lists and ranges, as the values of one axis of a grid are typed.

::

    74,300,1000       these values
    100:500:100       from 100 to 500 by steps of 100, both ends included
    100:10000:x10     from 100 to 10000, each ten times the one before
    10,100:300:100    both

Only the form is read here. What a value may be is the settings' to say, one definition for all.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from itertools import chain
from typing import TYPE_CHECKING, Final

from marketcam.server.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MOST_VALUES", "axis_texts"]

MOST_VALUES: Final = 1000
"""Values of one axis at most: a slip such as `0:1:1e-9` must not fill the memory."""

_TIMES: Final = "x"


def axis_texts(label: str, text: str) -> tuple[str, ...]:
    """Return the values of an axis, each once, as they would be typed one by one.

    `label` names the axis in errors. What is no range is returned as it is.

    Raises:
        SettingsError: an empty value, a range that cannot be walked, or more than `MOST_VALUES`.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise _refusal(label, "must be values such as 100,300 without an empty one", text)
    values = tuple(dict.fromkeys(chain.from_iterable(_values(label, part) for part in parts)))
    if len(values) > MOST_VALUES:
        raise _refusal(label, f"must be {MOST_VALUES} values at most, {len(values)} here", text)
    return values


def _values(label: str, part: str) -> Iterator[str]:
    if ":" not in part:
        yield part
        return
    first, last, step, times = _range(label, part)
    value, made = first, 0
    while value <= last:
        made += 1
        if made > MOST_VALUES:
            raise _refusal(label, f"must be {MOST_VALUES} values at most", part)
        yield format(value.normalize(), "f")
        value = value * step if times else value + step


def _range(label: str, part: str) -> tuple[Decimal, Decimal, Decimal, bool]:
    """Read FIRST:LAST:STEP, the step a summand or, behind an `x`, a factor."""
    try:
        first_text, last_text, step_text = part.split(":")
        times = step_text.startswith(_TIMES)
        first, last = Decimal(first_text), Decimal(last_text)
        step = Decimal(step_text.removeprefix(_TIMES))
    except (ValueError, InvalidOperation):
        form = "must be a range such as 100:500:100 or 100:10000:x10"
        raise _refusal(label, form, part) from None
    if not (first.is_finite() and last.is_finite() and step.is_finite() and first <= last):
        raise _refusal(label, "must be a range from a smaller to a larger number", part)
    if times and (step <= 1 or first <= 0):
        raise _refusal(label, "must start above 0 and grow by a factor above 1", part)
    if not times and step <= 0:
        raise _refusal(label, "must have a step above 0", part)
    return first, last, step, times


def _refusal(label: str, rule: str, text: str) -> SettingsError:
    return SettingsError([f"{label} {rule}, got {text!r}"])
