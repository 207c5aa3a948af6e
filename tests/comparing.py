"""The camera against the plain twin."""

from __future__ import annotations

from statistics import pstdev
from typing import TYPE_CHECKING, Any

import orjson

from marketcam.engine import SlidingWindowCamera, TickError
from marketcam.io import encode_frame
from tests.oracle import MalformedTick, OracleCamera

if TYPE_CHECKING:
    from collections.abc import Iterable

ROUNDING = 1.01e-6
"""Sums in another order may round to neighbouring sixth decimals."""

SUMMED = ("quote_price_mean", "quote_price_std", "quote_dist_to_mid_mean")
"""The features that are sums of floats; all others must be equal exactly."""


def film(camera: SlidingWindowCamera, raws: Iterable[dict[str, Any]]) -> dict[int, bytes]:
    """Take in well-formed ticks; return the text of every frame by its tick."""
    texts = {}
    for raw in raws:
        camera.ingest(raw)
        if (frame := camera.maybe_frame(raw["t"])) is not None:
            texts[raw["t"]] = encode_frame(frame)
    return texts


def film_with_twin(raws: Iterable[Any], **arguments: Any) -> int:
    """Show every tick to camera and twin, compare all they say, return the number of frames.

    A tick that the twin refuses must be refused by the camera, at the same field.
    """
    camera, twin = SlidingWindowCamera(**arguments), OracleCamera(**arguments)
    frames = 0
    for raw in raws:
        fault = fault_of(twin, raw)
        if fault is None:
            camera.ingest(raw)
        else:
            assert refusal_of(camera, raw).field == fault.field
        if twin.last_t is not None:
            frames += compare(camera, twin, twin.last_t)
    return frames


def fault_of(twin: OracleCamera, raw: Any) -> MalformedTick | None:
    """Let the twin take a tick; return what it refuses it for, or None."""
    try:
        twin.ingest(raw)
    except MalformedTick as fault:
        return fault
    return None


def refusal_of(camera: SlidingWindowCamera, raw: Any) -> TickError:
    """Return the error with which the camera refuses a tick that it must not take."""
    try:
        camera.ingest(raw)
    except TickError as error:
        return error
    message = f"the camera took {raw!r}"
    raise AssertionError(message)


def compare(camera: SlidingWindowCamera, twin: OracleCamera, t: int) -> bool:
    """Assert that both have the same frame at `t`, or none; say whether there was one.

    The frame's text must be that of its dict as well.
    """
    frame, theirs = camera.maybe_frame(t), twin.maybe_build_frame(t)
    assert (frame is None) == (theirs is None), f"due at tick {t}: {theirs is not None}"
    if frame is None or theirs is None:
        return False
    ours = frame.to_dict()
    assert_same_frame(ours, theirs, twin)
    assert encode_frame(frame) == orjson.dumps(ours)
    return True


def assert_same_frame(ours: dict[str, Any], theirs: dict[str, Any], twin: OracleCamera) -> None:
    """Compare two frame messages of the window that `twin` holds, texts and types included."""
    ours_left, theirs_left = _without_sums(ours), _without_sums(theirs)
    for part in ("type", "t", "window", "nodes", "edges"):
        assert ours_left[part] == theirs_left[part], part
    assert repr(ours_left) == repr(theirs_left)  # order of fields, 1 or 1.0, 0.0 or -0.0
    for our_node, their_node in zip(ours["nodes"], theirs["nodes"], strict=True):
        for name in SUMMED:
            ours_summed, theirs_summed = our_node["features"][name], their_node["features"][name]
            place = our_node["node_id"], name, ours_summed, theirs_summed
            assert abs(ours_summed - theirs_summed) <= ROUNDING, place
            assert type(ours_summed) is float, place
            assert repr(ours_summed) != "-0.0", place
    assert list(ours["events"]) == ["bursts", "shocks"]
    _assert_same_events(ours["events"]["bursts"], theirs["events"]["bursts"])
    _assert_same_shocks(ours["events"]["shocks"], theirs["events"]["shocks"], twin)


def _without_sums(frame: dict[str, Any]) -> dict[str, Any]:
    """Return the frame with None for every figure that is a sum of floats, and no events."""
    nodes = [
        node | {"features": node["features"] | dict.fromkeys(SUMMED)} for node in frame["nodes"]
    ]
    return frame | {"nodes": nodes, "events": None}


def _assert_same_events(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    assert [(event["t"], list(event)) for event in ours] == [
        (event["t"], list(event)) for event in theirs
    ]
    for our_event, their_event in zip(ours, theirs, strict=True):
        for name in ("value", "score"):
            assert abs(our_event[name] - their_event[name]) <= ROUNDING, (our_event, their_event)
            assert type(our_event[name]) is type(their_event[name])


def _assert_same_shocks(
    ours: list[dict[str, Any]], theirs: list[dict[str, Any]], twin: OracleCamera
) -> None:
    """Compare the shocks, but for those that the last bit of a logarithm decides."""
    returns = [r for _, r in twin.returns()]
    if returns and 0 < pstdev(returns) <= 1e-9 * max(map(abs, returns)):
        return  # returns that differ by rounding only: their scores are noise
    undecided = {
        t for t, _, score in twin.scored_returns() if abs(abs(score) - twin.shock_z) <= 1e-6
    }
    _assert_same_events(
        [event for event in ours if event["t"] not in undecided],
        [event for event in theirs if event["t"] not in undecided],
    )
