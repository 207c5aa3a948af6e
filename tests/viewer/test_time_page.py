"""Charts, timeline and transport in a real browser: what they show, and what they ask for."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.server_helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page, Route

pytestmark = pytest.mark.browser

HERE = Path(__file__).parent
VIEWER = HERE.parents[1] / "server" / "viewer"
ORIGIN = "http://time.test"

MAIN = """
import * as told from "/time_app.js";
import { createCharts } from "/viewer/time/charts.js";
import { createTime } from "/viewer/time/time.js";
window.begin = (options) => {
    for (const view of window.views ?? []) view.dispose();
    for (const name of ["time", "charts"]) document.getElementById(name).replaceChildren();
    const app = told.makeApp(options);
    window.app = app;
    window.told = told;
    window.views = [
        createTime(document.getElementById("time"), app),
        createCharts(document.getElementById("charts"), app),
    ];
    app.text.keep(document);
};
window.settled = async (frames = 3) => {
    for (let n = 0; n < frames; n++) await new Promise(requestAnimationFrame);
};
"""


class TimePage:
    """The regions of time, on a stub of the rest (time_app.js)."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.set_default_timeout(PATIENCE * 1000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.route(f"{ORIGIN}/**", self._serve)

    def _serve(self, route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path == "/viewer/main.js":
            route.fulfill(body=MAIN, content_type="text/javascript")
        elif path == "/time_app.js":
            route.fulfill(path=HERE / "time_app.js")
        else:
            route.fulfill(path=VIEWER / path.removeprefix("/viewer/"))

    def open(self) -> None:
        self.page.goto(f"{ORIGIN}/viewer/index.html")
        self.page.wait_for_function("Boolean(window.begin)")

    def begin(self, **options: Any) -> None:
        self.page.mouse.move(0, 0)
        self.page.evaluate("async (options) => { begin(options); await settled(); }", options)

    def run(self, program: str, *values: Any) -> Any:
        """Run a program with `app` and `told`, and let the page draw what comes of it."""
        return self.page.evaluate(
            f"async (values) => {{ const result = await (async () => {{ {program} }})();"
            " await settled(); return result; }",
            list(values),
        )

    def wait(self, condition: str) -> None:
        self.page.wait_for_function(condition)

    @property
    def commands(self) -> list[list[Any]]:
        """What the director was asked for since the last look."""
        told = self.page.evaluate("app.told.splice(0)")
        assert isinstance(told, list)
        return told

    @property
    def span(self) -> dict[str, Any]:
        span = self.page.evaluate("app.span.get()")
        assert isinstance(span, dict)
        return span

    def box(self, selector: str) -> dict[str, float]:
        box = self.page.locator(selector).first.bounding_box()
        assert box
        return dict(box)

    def chart(self, part: float) -> tuple[float, float]:
        """A place in the first chart, at this part of its span."""
        box = self.box(".chart")
        return box["x"] + 46 + part * (box["width"] - 54), box["y"] + box["height"] / 2

    def line(self, part: float) -> tuple[float, float]:
        """A place on the timeline."""
        box = self.box(".timeline")
        return box["x"] + part * box["width"], box["y"] + 30

    def settle(self) -> None:
        self.page.evaluate("settled()")

    def says(self, selector: str, words: str) -> None:
        """Wait until an element says just this."""
        self.page.wait_for_function(
            "([selector, words]) => document.querySelector(selector)?.textContent === words",
            arg=[selector, words],
        )

    def text(self, selector: str) -> str:
        return self.page.text_content(selector) or ""

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[TimePage]:
    """A window for all tests of the module."""
    window = TimePage(browser.new_page(viewport={"width": 1280, "height": 800}, locale="en-GB"))
    window.open()
    yield window
    window.page.close()


@pytest.fixture
def time(window: TimePage) -> Iterator[TimePage]:
    """The views of time, made anew."""
    window.begin()
    yield window
    assert window.errors == []


@pytest.fixture
def clocked(browser: Browser) -> Iterator[TimePage]:
    """The views of time in a window whose clock goes on when it is told to."""
    page = browser.new_page(viewport={"width": 1280, "height": 800}, locale="en-GB")
    time = TimePage(page)
    begun = datetime(2026, 3, 1, tzinfo=UTC)
    page.clock.install(time=begun)
    time.open()
    page.clock.pause_at(begun + timedelta(hours=1))
    page.evaluate("begin()")
    page.clock.run_for(500)
    yield time
    page.close()
    assert time.errors == []


def number(text: str) -> float:
    return float(text.replace(",", ""))


# ---- charts -----------------------------------------------------------------------------------


def test_the_chosen_series_are_shown(time):
    names = ".chart-name"
    assert time.page.locator(names).all_text_contents() == [
        "price (normalised)",
        "volatility",
        "liquidity",
        "imbalance",
        "agents",
        "matches a tick",
        "mean experience",
    ]
    time.page.click(".charts-menu summary")
    time.page.click(".charts-menu >> text=imbalance")
    assert "imbalance" not in time.page.locator(names).all_text_contents()
    assert "imbalance" not in time.run("return app.settings.get().charts")
    time.page.keyboard.press("Escape")
    assert not time.page.locator(".charts-choices").is_visible()
    time.run("app.settings.set({ charts: [] })")
    assert time.text(".charts-none") == "No series is chosen."
    time.run("app.settings.set({ charts: ['N'], language: 'zh' })")
    assert time.page.locator(names).all_text_contents() == ["智能体数"]


def test_values_are_those_of_the_cursor_or_under_the_crosshair(time):
    price, agents = ".chart-value >> nth=0", ".chart-value >> nth=4"
    expected = time.run("return told.metric(20_000)")
    assert number(time.text(price)) == pytest.approx(expected["price_norm"], abs=1e-3)
    assert number(time.text(agents)) == expected["N"]
    time.page.mouse.move(*time.chart(0.5))
    time.settle()
    t = time.run("return app.hovered.get().t")
    assert t == pytest.approx(18_500, abs=10)
    assert time.text(".charts-span") == f"tick {t:,}"
    expected = time.run("return told.metric(values[0])", t)
    assert number(time.text(price)) == pytest.approx(expected["price_norm"], abs=1e-3)
    assert number(time.text(agents)) == expected["N"]
    time.page.mouse.move(10, 10)
    time.settle()
    assert time.run("return app.hovered.get().t") is None
    assert time.text(".charts-span") == "ticks 17,000 – 20,000 (30 s)"


def test_values_may_be_a_stride_late_and_no_more(time):
    agents = ".chart-value >> nth=4"
    time.run("app.cursor.set({ t: 20_004 })")  # its metrics have not come yet
    assert number(time.text(agents)) == time.run("return told.metric(20_000).N")
    time.run("app.cursor.set({ t: 20_040 })")
    assert time.text(agents) == "–"


def test_a_drag_chooses_a_span_and_a_double_click_follows_again(time):
    time.page.mouse.move(*time.chart(0.25))
    time.page.mouse.down()
    time.page.mouse.move(*time.chart(0.75), steps=3)
    time.page.mouse.up()
    span = time.span
    assert [span["from"], span["to"]] == pytest.approx([17_750, 19_250], abs=15)
    assert span["follow"] is False
    assert time.commands == []
    time.run("told.goOn(app, 50)")
    assert time.span == span
    time.settle()
    time.page.mouse.dblclick(*time.chart(0.5))
    assert time.span == {"from": 20_050 - 3000, "to": 20_050, "follow": True}
    assert time.commands[-1] == ["goLive"]


def test_the_keys_of_the_charts(time):
    time.page.focus(".charts-grid")
    time.page.keyboard.press("ArrowLeft")
    assert time.run("return app.hovered.get().t") == 20_000 - 30
    time.wait("document.querySelector('#charts [aria-live]').textContent.includes('19,970')")
    time.page.keyboard.press("Enter")
    assert time.commands == [["seek", "c", 19_970]]
    time.page.keyboard.press("+")
    span = time.span
    assert span["to"] - span["from"] == 1500
    time.page.keyboard.press("Shift+ArrowLeft")
    assert time.span["from"] == span["from"] - 150
    time.page.keyboard.press("Home")
    assert time.span["follow"] is True
    assert time.span["to"] - time.span["from"] == 3000
    time.page.keyboard.press("Escape")
    assert time.run("return app.hovered.get().t") is None


def test_a_click_goes_to_a_moment_and_a_drag_with_shift_goes_along(time):
    time.page.mouse.click(*time.chart(0.5))
    [(name, run, t)] = time.commands
    assert (name, run) == ("seek", "c")
    assert t == pytest.approx(18_500, abs=10)
    assert time.span == {"from": 17_000, "to": 20_000, "follow": True}  # it is in there already
    time.page.keyboard.down("Shift")
    time.page.mouse.move(*time.chart(0.3))
    time.page.mouse.down()
    time.page.mouse.move(*time.chart(0.6), steps=4)
    time.page.mouse.up()
    time.page.keyboard.up("Shift")
    seeks = [t for name, _, t in time.commands if name == "seek"]
    assert seeks == sorted(seeks)
    assert len(seeks) >= 4
    assert [seeks[0], seeks[-1]] == pytest.approx([17_900, 18_800], abs=20)


def test_the_wheel_zooms_about_the_pointer_and_moves_on(time):
    time.run("app.span.set({ from: 10_000, to: 12_000, follow: false })")
    time.page.mouse.move(*time.chart(0.25))
    time.page.mouse.wheel(0, -400)
    time.wait("app.span.get().to < 12_000")
    span = time.span
    assert [span["from"], span["to"]] == pytest.approx([10_250, 11_250], abs=10)
    time.settle()
    time.page.mouse.wheel(100, 0)
    time.wait(f"app.span.get().from > {span['from']}")
    assert time.span["to"] - time.span["from"] == span["to"] - span["from"]
    time.page.mouse.wheel(0, 40_000)
    time.wait("app.span.get().from === 0")
    assert time.span["to"] == 20_000


def test_live_the_span_ends_at_the_newest_tick_however_long_it_is(time):
    time.button("Longer span").click()
    assert time.span == {"from": 14_000, "to": 20_000, "follow": True}
    time.run("told.goOn(app, 40)")
    assert time.span == {"from": 14_040, "to": 20_040, "follow": True}
    time.button("Shorter span").click()
    assert time.span == {"from": 17_040, "to": 20_040, "follow": True}


def test_events_are_marked_and_said(time):
    time.run("""
        app.recording.set({ events: new Map([["c", [
            { type: "burst", t: 18_000, value: 90, score: 4.25 },
            { type: "shock", t: 18_502, value: -0.0123, score: -6.1 },
            { type: "shock", t: 18_504, value: 0.0123, score: 5 },
        ]]]) });
    """)
    time.wait("document.querySelector('.charts-grid') && app.recording.get().events.size")
    tip = ".charts-grid .time-tip"
    time.page.mouse.move(*time.chart(1 / 3))
    time.says(tip, "burst at tick 18,000: 90 matches, 4.3 std above the mean")
    time.page.mouse.move(*time.chart(0.501))
    time.says(tip, "2 shocks, the strongest: shock at tick 18,502: log return -0.012300, -6.1 std")
    time.page.mouse.click(*time.chart(0.501))
    assert time.commands[-1] == ["seek", "c", 18_505]  # the first frame that tells of it
    time.button("To the burst or shock before").click()
    assert time.commands[-1] == ["seek", "c", 18_000]
    time.button("To the next burst or shock").click()
    assert time.commands[-1] == ["seek", "c", 18_505]


def test_what_is_older_is_asked_of_the_camera_seldom_and_shown_with_what_is_held(time):
    time.run("app.span.set({ from: 12_000, to: 18_000, follow: false })")
    time.wait("app.server.asked.length === 1")
    time.settle()
    time.page.mouse.move(*time.chart(0.1))
    time.settle()
    expected = time.run("return told.metric(app.hovered.get().t)")
    assert number(time.text(".chart-value >> nth=1")) == pytest.approx(
        expected["volatility"], abs=0.11
    )
    for begin in range(11_900, 11_000, -100):
        time.run("app.span.set({ from: values[0], to: values[0] + 6_000, follow: false })", begin)
    asked = time.run("return app.server.asked")
    assert len(asked) == 1
    assert asked[0]["run"] == "c"
    assert asked[0]["from_t"] <= 11_100
    assert asked[0]["to_t"] == 15_000
    assert 2 <= asked[0]["points"] <= 2000


def test_what_cannot_be_read_is_said_and_asked_for_again(clocked):
    page = clocked.page
    page.evaluate("app.server.fail = 'too many readers'; app.director.seek('a', 5_000)")
    page.clock.run_for(500)
    failed = "The metrics could not be read: too many readers"
    clocked.wait(f"document.querySelector('.charts-note').textContent === {failed!r}")
    assert page.evaluate("app.server.asked.length") == 1
    page.clock.run_for(1_000)
    clocked.wait("app.server.asked.length === 2")
    page.evaluate("app.director.goLive(); app.cursor.set({ run: 'c' })")
    page.clock.run_for(500)
    assert clocked.text(".charts-note") == ""  # all of that is held
    page.evaluate("app.director.seek('a', 5_000)")
    page.clock.run_for(100)
    clocked.wait(f"document.querySelector('.charts-note').textContent === {failed!r}")
    page.evaluate("app.server.fail = null; app.server.sampled = true")
    clocked.button("Try again").click()
    page.clock.run_for(100)
    sampled = "sampled: not made from every tick"
    clocked.wait(f"document.querySelector('.charts-note').textContent === {sampled!r}")
    page.evaluate("app.server.sampled = false")
    page.clock.run_for(6_000)
    clocked.wait("document.querySelector('.charts-note').textContent === ''")
    assert not clocked.button("Try again").is_visible()


def test_a_slow_answer_is_said_and_one_of_another_run_is_not_shown(clocked):
    page = clocked.page
    page.evaluate("""() => {
        app.server.hold = new Promise((resolve) => { window.release = resolve; });
        app.director.seek("a", 5_000);
    }""")
    page.clock.run_for(400)
    clocked.wait("document.querySelector('.charts-note').textContent === 'loading …'")
    page.evaluate("app.director.goLive(); app.cursor.set({ run: 'c' })")
    page.clock.run_for(400)
    page.evaluate("release()")
    page.clock.run_for(400)
    assert number(clocked.text(".chart-value >> nth=4")) == page.evaluate("told.metric(20_000).N")


COURSE = """
    const canvas = document.querySelector(".charts-lower");
    const box = document.querySelector(".chart");
    const ratio = canvas.width / canvas.clientWidth;
    const context = canvas.getContext("2d");
    const drawn = [];
    const width = box.clientWidth - 54;
    for (let part = 0.02; part < 0.99; part += 0.02) {
        const x = Math.round((46 + part * width) * ratio);
        const { data } = context.getImageData(x, 26 * ratio, 1, (box.clientHeight - 41) * ratio);
        let found = false;
        for (let at = 0; at < data.length; at += 4) {
            found ||= data[at + 3] > 60 && data[at + 2] - data[at] > 60; // blue, as the accent is
        }
        drawn.push([part, found]);
    }
    return drawn;
"""


@pytest.mark.parametrize("is_recorded", [False, True])
def test_a_gap_is_drawn_as_a_gap_unless_the_recording_has_it(time, is_recorded):
    time.run(
        """
        app.series.run = null;
        app.series.isRecorded = values[0];
        const ticks = Array.from({ length: 5_000 }, (_, n) => 15_001 + n);
        app.series.add("c", ticks.filter((t) => t < 18_200 || t > 18_800).map(told.metric));
        """,
        is_recorded,
    )
    time.run("app.settings.set({ charts: ['price_norm'] })")
    time.wait(f"(app.server.asked.length > 0) === {str(is_recorded).lower()}")
    time.settle()
    for part, drawn in time.run(COURSE):
        t = 17_000 + part * 3_000
        if abs(t - 18_200) > 40 and abs(t - 18_800) > 40:
            assert drawn is (is_recorded or not 18_200 < t < 18_800), t


def test_nothing_is_drawn_when_nothing_changes(clocked):
    page = clocked.page
    page.evaluate("""() => {
        const clear = CanvasRenderingContext2D.prototype.clearRect;
        window.drawings = 0;
        CanvasRenderingContext2D.prototype.clearRect = function (...values) {
            window.drawings += 1;
            return clear.apply(this, values);
        };
    }""")
    page.evaluate("told.goOn(app, 5)")
    page.clock.run_for(2_000)
    assert page.evaluate("drawings") >= 4  # two canvases of the charts, two of the timeline
    page.evaluate("drawings = 0")
    page.clock.run_for(10_000)
    assert page.evaluate("drawings") == 0
    page.evaluate("for (const view of views) view.dispose(); told.goOn(app, 5)")
    page.clock.run_for(2_000)
    assert page.evaluate("drawings") == 0


# ---- timeline ---------------------------------------------------------------------------------


def value_text(time: TimePage) -> str:
    return time.page.get_attribute(".timeline", "aria-valuetext") or ""


def test_the_timeline_is_a_slider_over_all_runs(time):
    assert time.page.get_by_role("slider", name="Moment shown").count() == 1
    assert re.fullmatch(r"live: run of .*, tick 20,000", value_text(time))
    slider = time.page.locator(".timeline")
    assert slider.get_attribute("aria-valuemax") == str(30_001 + 61 + 20_001)
    assert slider.get_attribute("aria-valuenow") == str(30_001 + 61 + 20_000)
    time.run("app.director.seek('a', 400)")
    time.wait("document.querySelector('.timeline').ariaValueNow === '400'")
    assert re.fullmatch(r"run of .*, tick 400", value_text(time))


def test_the_keys_of_the_timeline(time):
    time.page.focus(".timeline")
    for key, expected in [
        ("ArrowLeft", ["step", -1]),
        ("Shift+ArrowRight", ["step", 10]),
        ("PageDown", ["seek", "c", 19_000]),
        ("Home", ["seek", "c", 0]),
        ("PageUp", ["seek", "c", 1_000]),
        ("End", ["goLive"]),
    ]:
        time.page.keyboard.press(key)
        assert time.commands == [expected], key
    time.run("app.director.seek('a', 400)")
    time.page.keyboard.press("End")
    assert time.commands[-1] == ["seek", "a", 30_000]


def test_a_double_click_on_the_timeline_leaves_the_cursor_where_it_was(time):
    time.run("app.director.seek('a', 400)")
    time.settle()
    time.page.mouse.dblclick(*time.line(0.3))
    time.settle()
    assert time.commands[-1] == ["seek", "a", 400]
    time.run("app.director.goLive()")
    time.page.mouse.dblclick(*time.line(0.3))
    time.settle()
    assert time.commands[-1] == ["goLive"]


def test_dragging_goes_to_any_moment_and_beyond_the_end_to_live(time):
    time.page.mouse.move(*time.line(0.1))
    time.page.mouse.down()
    time.wait("app.told.length > 0")
    [(name, run, t)] = time.commands
    assert (name, run) == ("seek", "a")
    assert t == pytest.approx(0.1 / 0.59 * 30_000, rel=0.05)
    time.page.mouse.move(*time.line(0.3), steps=2)
    time.wait("app.told.length > 0")
    time.settle()
    assert time.commands[-1][2] == pytest.approx(0.3 / 0.59 * 30_000, rel=0.05)
    x, y = time.line(1)
    time.page.mouse.move(x + 11, y)
    time.wait("app.told.some(([name]) => name === 'goLive')")
    time.page.mouse.up()


def test_the_wheel_stretches_the_timeline(time):
    time.page.mouse.move(*time.line(0.3))
    tip = ".timeline .time-tip"
    before = time.text(tip)
    time.page.mouse.wheel(0, -900)
    time.settle()
    time.page.mouse.move(*time.line(0.3001))
    x, y = time.line(0.3)
    time.page.mouse.move(x + 100, y)
    time.settle()
    near = [number(text.rpartition("tick ")[2]) for text in (before, time.text(tip))]
    assert near[1] - near[0] == pytest.approx(100 / (8 * 1256 * 0.59) * 30_000, rel=0.2)
    time.page.mouse.dblclick(*time.line(0.3))
    time.settle()
    time.page.mouse.move(x + 100, y)
    time.settle()
    far = number(time.text(tip).rpartition("tick ")[2])
    assert far - near[0] > 4 * (near[1] - near[0])


def test_holes_are_said(time):
    hole = {"from_t": 10_000, "to_t": 20_000, "kind": "frames", "reason": "disk full"}
    time.begin(holes=[hole])
    time.page.mouse.move(*time.line(0.3))
    time.settle()
    lines = time.text(".timeline .time-tip").split("\n")
    assert lines[1] == "missing, ticks 10,000 – 20,000: disk full"


# ---- transport --------------------------------------------------------------------------------


def test_the_buttons_of_the_transport(time):
    assert time.button("Live").get_attribute("aria-pressed") == "true"
    for name, expected in [
        ("Pause", ["toggle"]),
        ("One frame back", ["step", -1]),
        ("One frame on", ["step", 1]),
        ("Live", ["goLive"]),
    ]:
        time.button(name).click()
        assert time.commands == [expected], name
    assert time.page.get_by_role("combobox", name="Speed").is_disabled()
    time.run("app.director.seek('c', 19_000)")
    assert time.button("Play").count() == 1
    assert time.button("Back to live").get_attribute("aria-pressed") == "false"
    time.page.get_by_role("combobox", name="Speed").select_option("0.25")
    assert time.commands[-1] == ["setSpeed", 0.25]


def test_paused_it_says_how_far_behind_and_how_many_frames_wait(time):
    time.run("app.director.pause()")
    for _ in range(3):
        time.run("told.goOn(app, 5)")
    time.wait("""document.querySelector('.transport-behind').textContent
        === '15 ticks (0.2 s) behind · 3 frames wait on this page'""")
    time.run("app.director.seek('a', 10)")
    time.wait("document.querySelector('.transport-behind').textContent === 'an earlier run'")
    time.run("app.cursor.set({ seeking: true })")
    assert time.text(".transport-seeking") == "looking for the moment …"
    time.run("app.status.set({ replayError: 'segment 3 is damaged' })")
    assert time.text(".transport-state [role=alert]") == (
        "This moment cannot be shown: segment 3 is damaged"
    )
    time.run("app.director.goLive(); app.status.set({ replayError: null })")
    assert time.text(".transport-behind") == ""


def test_a_tick_is_typed(time):
    field = time.page.get_by_role("textbox", name="Tick")
    assert field.input_value() == "20000"
    field.fill("1,234")
    time.run("told.goOn(app, 5)")
    assert field.input_value() == "1,234"  # what is typed is left alone
    field.press("Enter")
    assert time.commands == [["seek", "c", 1234]]
    time.settle()
    assert field.input_value() == "1230"
    field.fill("soon")
    field.press("Enter")
    assert time.text("#transport-fault") == "'soon' is not a tick: 0 to 20,005"
    assert field.get_attribute("aria-invalid") == "true"
    assert time.commands == []
    field.press("Escape")
    assert field.input_value() == "1230"
    assert time.text("#transport-fault") == ""
    field.fill("20006")
    field.press("Enter")
    assert time.text("#transport-fault") == "'20006' is not a tick: 0 to 20,005"


def test_a_run_is_chosen(time):
    picker = time.page.get_by_role("combobox", name="Run")
    assert picker.input_value() == "c"
    assert picker.locator("option").count() == 3
    picker.select_option("b")
    assert time.commands == [["seek", "b", 0]]
    assert time.span["follow"] is True
    assert time.span["to"] <= 60
    picker.select_option("c")
    assert time.commands == [["goLive"]]


def test_a_section_is_looped(time):
    time.run("app.director.seek('c', 17_000)")
    assert not time.button("Do not loop").is_visible()
    time.button("Loop from this tick on").click()
    assert time.commands[-1] == ["setLoop", {"from": 17_000, "to": 20_000}]
    time.run("app.director.seek('c', 18_000)")
    time.button("Loop up to this tick").click()
    assert time.commands[-1] == ["setLoop", {"from": 17_000, "to": 18_000}]
    time.settle()
    assert time.text(".transport-section") == "17,000 – 18,000"
    time.run("app.span.set({ from: 5_000, to: 6_000, follow: false })")
    time.button("Loop what the charts show").click()
    assert time.commands[-1] == ["setLoop", {"from": 5_000, "to": 6_000}]
    time.button("Do not loop").click()
    assert time.commands[-1] == ["setLoop", None]


def test_before_anything_was_filmed_there_is_nothing_to_go_wrong(browser):
    page = browser.new_page(viewport={"width": 390, "height": 844})
    time = TimePage(page)
    time.open()
    time.begin()
    time.run("""
        document.getElementById("time").replaceChildren();
        document.getElementById("charts").replaceChildren();
        for (const view of views) view.dispose();
        const empty = told.makeApp();
        empty.series.run = null;
        empty.series.length = 0;
        empty.recording.set({ runs: [], loaded: false });
        empty.status.set({ serverT: null });
        empty.cursor.set({ run: null, t: null });
        const { createCharts } = await import("/viewer/time/charts.js");
        const { createTime } = await import("/viewer/time/time.js");
        createTime(document.getElementById("time"), empty);
        createCharts(document.getElementById("charts"), empty);
    """)
    assert value_text(time) == "nothing recorded yet"
    assert time.text(".charts-note") == "no metrics of this span"
    page.focus(".timeline")
    for key in ("Home", "End", "PageUp", "+"):
        page.keyboard.press(key)
    page.mouse.click(*time.chart(0.5))
    page.mouse.click(*time.line(0.5))
    time.settle()
    assert time.errors == []
    page.close()
