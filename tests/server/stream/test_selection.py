"""What clients select: the rules, without any socket."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import orjson
import pytest

from marketcam.server.running.about import about_run, filmed_with
from marketcam.server.settings import Settings
from marketcam.server.stream.forms import Forms, TooManyFormsError
from marketcam.server.stream.hub import Hub, HubOptions
from marketcam.server.stream.messages import Entry, Gap, Kind, Message
from marketcam.server.stream.selection import PLAIN_FORM, FilmedWith, Form, Selection, wanted_part

if TYPE_CHECKING:
    from pathlib import Path

    from marketcam.server.stream.client import Client


def entry(kind: Kind, t: int, gap: Gap | None = None) -> Entry:
    return Entry(gap, Message.of_text(kind, t, orjson.dumps({"type": kind, "t": t})))


def metrics(first: int, last: int) -> list[Entry]:
    return [entry("metric", t) for t in range(first, last + 1)]


def taken(client: Client) -> list[tuple[str, ...]]:
    bodies = [body for body in iter(client.take, ()) for body in body]
    messages = [orjson.loads(body.data) for body in bodies]
    return [tuple(m[name] for name in m if name != "reason") for m in messages]


STEPS: dict[Kind, int] = {"metric": 1, "frame": 2}


def test_greets_with_what_is_wanted_and_with_the_latest_frame_in_any_case() -> None:
    hub = Hub(HubOptions(connect_metrics=6, steps=STEPS))
    hub.publish([*metrics(1, 6), entry("frame", 6), *metrics(7, 8), entry("frame", 8)])
    greetings = {
        Selection(every=3): [("metric", 3), ("metric", 6), ("frame", 8)],
        Selection(every=100): [("frame", 8)],
        Selection(kinds=("frame",)): [("frame", 8)],
        Selection(kinds=("metric",), every=4): [("metric", 4), ("metric", 8)],
    }
    for selection, expected in greetings.items():
        assert taken(hub.join(selection)) == expected
    late = hub.join(Selection(every=3))
    taken(late)
    hub.publish([*metrics(9, 9), entry("frame", 10), *metrics(11, 12), entry("frame", 12)])
    assert taken(late) == [("metric", 9), ("metric", 12), ("frame", 12)]


def test_of_a_gap_only_what_was_wanted_is_told_with_the_next_message_that_is() -> None:
    hub = Hub(HubOptions(steps=STEPS))
    frames, thirds = hub.join(Selection(kinds=("frame",))), hub.join(Selection(every=3))
    hub.publish([entry("metric", 4, Gap("metric", 1, 3, "busy"))])
    hub.publish([entry("metric", 8, Gap("metric", 5, 7, "busy")), *metrics(9, 9)])
    hub.publish([entry("frame", 14, Gap("frame", 8, 10, "busy")), entry("frame", 18)])
    hub.publish([entry("metric", 21, Gap("metric", 19, 20, "busy"))])
    assert taken(frames) == [("gap", "frame", 8, 10), ("frame", 14), ("frame", 18)]
    assert taken(thirds) == [
        ("gap", "metric", 3, 6),
        ("metric", 9),
        ("frame", 18),
        ("metric", 21),
    ]


@pytest.mark.parametrize(
    ("from_t", "to_t", "step", "part"),
    [
        (1, 9, 1, (1, 9)),
        (1, 9, 3, (3, 9)),
        (4, 5, 3, None),
        (-7, -1, 3, (-6, -3)),
        (-2, 2, 3, (0, 0)),
        (6, 6, 3, (6, 6)),
    ],
)
def test_the_wanted_part(from_t: int, to_t: int, step: int, part: tuple[int, int] | None) -> None:
    assert wanted_part(from_t, to_t, step) == part
    multiples = [t for t in range(from_t, to_t + 1) if t % step == 0]
    assert part == ((multiples[0], multiples[-1]) if multiples else None)


def test_what_asks_for_the_same_is_the_same() -> None:
    def normal(form: Form, *kinds: Kind) -> Form:
        return Selection(form, kinds).normal(edge_cap=50).form

    assert normal(Form(edges=50), "frame") == normal(Form(edges=10**9), "frame") == PLAIN_FORM
    assert normal(Form("columns", 49), "metric", "frame") == Form("columns", 49)
    assert normal(Form(edges=99, deflate=True), "frame") == Form(deflate=True)
    assert normal(Form("columns", 3), "metric") == PLAIN_FORM


def test_forms_are_held_as_long_as_anyone_wants_them() -> None:
    forms = Forms(limit=2)
    with ExitStack() as all_of_them:
        for form in (PLAIN_FORM, Form("columns"), Form(edges=1), Form("columns")):
            all_of_them.enter_context(forms.hold(form))
        assert len(forms) == 2
        with pytest.raises(TooManyFormsError, match="the limit is 2"), forms.hold(Form(edges=2)):
            pass
        with forms.hold(PLAIN_FORM), forms.hold(Form(edges=1)):
            assert len(forms) == 2
    assert (len(forms), forms.refused) == (0, 1)


def test_with_what_a_run_was_filmed_is_read_from_its_record(tmp_path: Path) -> None:
    settings = Settings(
        store_dir=tmp_path, stride=7, metric_downsample=3, edge_cap=11, match_share=0.25
    )
    filmed = filmed_with(settings)
    assert filmed == FilmedWith(stride=7, metric_downsample=3, edge_cap=11, match_share=0.25)
    assert FilmedWith.of(orjson.loads(orjson.dumps(about_run(settings)))) == filmed
    assert filmed.steps == {"metric": 3, "frame": 7}


@pytest.mark.parametrize(
    "changed",
    [
        {"camera": None},
        {"camera": {"stride": 7}},
        {"metric_downsample": 0},
        {"metric_downsample": "1"},
        {"camera": {"stride": 0, "edge_cap": 1, "match_share": 0.5}},
        {"camera": {"stride": 1, "edge_cap": 1, "match_share": 1.5}},
    ],
)
def test_a_record_that_does_not_say(tmp_path: Path, changed: dict[str, object]) -> None:
    about = about_run(Settings(store_dir=tmp_path))
    assert FilmedWith.of(about) is not None
    assert FilmedWith.of(about | changed) is None
    assert FilmedWith.of({}) is None
