"""Frames from their messages: the same message and the same line again, or a clear error."""

from __future__ import annotations

import math
from copy import deepcopy

import orjson
import pytest
from hypothesis import given

from marketcam.engine import Frame, FrameError, MarketCameraError
from marketcam.io import encode_frame
from tests.frame_columns_helpers import small_frame
from tests.frame_strategies import frames

pytestmark = pytest.mark.kernel


@given(frames())
def test_any_frame_comes_back_to_the_byte(frame):
    line = encode_frame(frame)
    back = Frame.from_dict(orjson.loads(line))
    assert encode_frame(back) == line
    assert back.to_dict() == frame.to_dict() == orjson.loads(line)


@given(frames())
def test_the_columns_are_those_of_the_frame(frame):
    back = Frame.from_dict(frame.to_dict())
    for mine, theirs in (
        (back.nodes, frame.nodes),
        (back.edges, frame.edges),
        (back.bursts, frame.bursts),
        (back.shocks, frame.shocks),
    ):
        for name in mine.__slots__:
            assert getattr(mine, name).dtype == getattr(theirs, name).dtype, name
            assert getattr(mine, name).flags.carray, name


def test_a_frame_of_the_camera_comes_back():
    frame = small_frame(agents=40, W=30)
    line = encode_frame(frame)
    assert {len(frame.edges) > 0, len(frame.bursts) + len(frame.shocks) > 0} == {True}
    assert encode_frame(Frame.from_dict(orjson.loads(line))) == line


def test_unknown_members_are_left_out():
    message = small_frame().to_dict()
    more = deepcopy(message) | {"colour": "red"}
    more["nodes"][0]["features"]["mood"] = 1.0
    more["edges"][0]["age"] = 3
    assert Frame.from_dict(more).to_dict() == message


def test_whole_numbers_are_figures_as_other_writers_have_them():
    message = small_frame().to_dict()
    message["edges"][0]["w"] = 1
    message["nodes"][0]["features"]["quote_price_mean"] = 100
    back = Frame.from_dict(message).to_dict()
    assert back == message
    assert type(back["edges"][0]["w"]) is float


def put(*path_and_value):
    """Return a change that puts a value, or takes a member away where the value is `KeyError`."""
    *path, last, value = path_and_value

    def change(message):
        for step in path:
            message = message[step]
        if value is KeyError:
            del message[last]
        else:
            message[last] = value

    return change


FAULTS = {
    "no type": (put("type", KeyError), "frame: type must be 'frame', got 'nothing'"),
    "a metric": (put("type", "metric"), "type must be 'frame', got 'metric'"),
    "no t": (put("t", KeyError), "t must be a whole number of"),
    "a t that is true": (put("t", True), "t must be a whole number of"),
    "a t beyond": (put("t", 2**53), "t must be a whole number of"),
    "no window": (put("window", KeyError), "frame 7: window must be an object, got 'nothing'"),
    "a window of 0": (put("window", "W", 0), "W must be a whole number of 1 to 65535, got 0"),
    "another t0": (put("window", "t0", 3), "t0 must be 4, got 3"),
    "another t1": (put("window", "t1", 8), "t1 must be 7, got 8"),
    "a stride of 0": (put("window", "stride", 0), "stride must be a whole number of 1"),
    "no nodes": (put("nodes", KeyError), "nodes must be a list, got 'nothing'"),
    "nodes as an object": (put("nodes", {}), "nodes must be a list, got {}"),
    "a node that is a number": (put("nodes", 2, 5), r"nodes\[2\] must be an object, got 5"),
    "a node that is a list": (put("nodes", 2, []), r"nodes\[2\] must be an object, got \[\]"),
    "a node without an id": (
        put("nodes", 1, "agent_id", KeyError),
        r"nodes\[1\].agent_id must be there, got 'nothing'",
    ),
    "a negative id": (put("nodes", 0, "agent_id", -1), r"nodes\[0\].agent_id must be a whole"),
    "a node's other name": (put("nodes", 0, "node_id", "x"), r"nodes\[0\].node_id must be 'agent"),
    "another t0 of a node": (put("nodes", 3, "t0", 5), r"nodes\[3\].t0 must be 4, got 5"),
    "a t0 with a point": (put("nodes", 3, "t0", 4.0), r"nodes\[3\].t0 must be 4, got 4.0"),
    "features as a list": (
        put("nodes", 3, "features", []),
        r"nodes\[3\].features must be an object, got \[\]",
    ),
    "a feature less": (
        put("nodes", 1, "features", "match_rate", KeyError),
        r"nodes\[1\].features.match_rate must be there",
    ),
    "a count with a point": (
        put("nodes", 1, "features", "buy_count", 1.0),
        r"nodes\[1\].features.buy_count must be a whole number of 0 to 2147483647, got 1.0",
    ),
    "a count beyond": (put("nodes", 1, "features", "buy_count", 2**31), "got 2147483648"),
    "a figure that is null": (
        put("nodes", 1, "features", "match_rate", None),
        r"nodes\[1\].features.match_rate must be a number, got None",
    ),
    "a figure that is true": (
        put("nodes", 1, "features", "match_rate", True),
        "match_rate must be a number, got True",
    ),
    "a figure no float holds": (
        put("nodes", 1, "features", "match_rate", 2**53 + 1),
        "match_rate must be a number, got 9007199254740993",
    ),
    "a figure of 400 digits": (
        put("nodes", 1, "features", "match_rate", 10**400),
        "match_rate must be a number",
    ),
    "an infinite figure": (
        put("nodes", 1, "features", "match_rate", math.inf),
        "match_rate must be finite, got inf",
    ),
    "an experience that is a text": (
        put("nodes", 1, "features", "experience_end", ""),
        "experience_end must be a number, got ''",
    ),
    "an infinite experience": (
        put("nodes", 1, "features", "experience_end", -math.inf),
        "experience_end must be finite, got -inf",
    ),
    "an unknown side": (
        put("nodes", 1, "features", "dominant_side", "hold"),
        "dominant_side must be one of none, buy, sell, got 'hold'",
    ),
    "a side that is a list": (
        put("nodes", 1, "features", "dominant_side", []),
        r"dominant_side must be one of none, buy, sell, got \[\]",
    ),
    "no edges": (put("edges", None), "edges must be a list, got None"),
    "an edge to nowhere": (
        put("edges", 1, "dst", "agent:1@t:4-7"),
        r"edges\[1\].dst must name a node, got 'agent:1@t:4-7'",
    ),
    "an unknown type": (
        put("edges", 1, "type", "love"),
        r"edges\[1\].type must be one of match, quote_proximity, got 'love'",
    ),
    "a weight that is NaN": (put("edges", 0, "w", math.nan), r"edges\[0\].w must be finite"),
    "a weight that is a text": (put("edges", 0, "w", "1"), r"edges\[0\].w must be a number"),
    "no events": (put("events", KeyError), "events must be an object"),
    "no bursts": (put("events", "bursts", KeyError), "bursts must be a list"),
    "a burst that is a number": (
        put("events", "bursts", [1]),
        r"bursts\[0\] must be an object, got 1",
    ),
    "half a match in a burst": (
        put("events", "bursts", [{"t": 5, "value": 1.5, "score": 4.0}]),
        r"bursts\[0\].value must be a whole number",
    ),
    "a shock without a score": (
        put("events", "shocks", [{"t": 5, "value": 1.5}]),
        r"shocks\[0\].score must be there",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_said(name):
    change, problem = FAULTS[name]
    message = small_frame().to_dict()
    change(message)
    with pytest.raises(FrameError, match=problem):
        Frame.from_dict(message)


def test_nodes_out_of_order_are_refused():
    message = small_frame().to_dict()
    message["nodes"].reverse()
    with pytest.raises(FrameError, match=r"nodes\[1\].agent_id must ascend"):
        Frame.from_dict(message)


@pytest.mark.parametrize("message", [None, [], b"{}", 1])
def test_what_is_no_object_is_refused(message):
    with pytest.raises(FrameError, match="frame: message must be an object"):
        Frame.from_dict(message)


def test_an_error_says_where():
    message = small_frame().to_dict()
    message["edges"][3]["w"] = None
    with pytest.raises(MarketCameraError) as caught:
        Frame.from_dict(message)
    assert (caught.value.t, caught.value.field, caught.value.value) == (7, "edges[3].w", None)
    assert isinstance(caught.value, ValueError)
