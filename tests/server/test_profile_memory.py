"""What a plan says of memory is what the camera holds against its budget."""

import pytest

from marketcam.engine import LimitError, SlidingWindowCamera
from marketcam.server.profiling.memory import estimated_bytes, table_bytes
from tests.profile_helpers import a_point


@pytest.mark.parametrize(("W", "stride"), [(30, 5), (30, 15), (30, 40)])
@pytest.mark.parametrize("agents", [3, 400, 2000])
def test_a_budget_of_just_the_table_is_enough(agents, W, stride):
    point = a_point(agents=agents, W=W, stride=stride)
    needed = table_bytes(point)
    for budget, refused in ((needed, False), (needed - 1, True)):
        arguments = point.camera_arguments() | {"pair_budget_bytes": budget}
        try:
            SlidingWindowCamera(**arguments).check_room(agents)
        except LimitError:
            assert refused
        else:
            assert not refused


@pytest.mark.parametrize("unknown", [{"agents": None}, {"proximity": "neighbors"}])
def test_what_depends_on_the_ticks_is_not_reckoned(unknown):
    assert table_bytes(a_point(**unknown)) is None
    assert estimated_bytes(a_point(**unknown)) is None
