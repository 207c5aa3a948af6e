"""The structure and its controls in a browser: what they show, and what a person does with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.viewer.conftest import ORIGIN, VIEWER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page, Route, Worker

pytestmark = pytest.mark.browser

HELPER = Path(__file__).parent / "structure_app.js"
BODY = """<!doctype html><html lang="en"><head><title>structure</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/viewer/style/base.css">
<link rel="stylesheet" href="/viewer/style/structure.css"></head>
<body><header id="bar"></header><main><aside id="controls"></aside>
<section id="structure" aria-label="Structure"></section></main></body></html>"""

WORKER = "viewer/structure/painter.worker.js"

# The browser of the tests has no graphics card; it has WebGL all the same, which the page takes for
# one by its name.
CARD = """{
    const { getParameter } = WebGL2RenderingContext.prototype;
    WebGL2RenderingContext.prototype.getParameter = function (what) {
        const name = getParameter.call(this, what);
        return String(name).includes("SwiftShader") ? "a card" : name;
    };
    const { getContext } = OffscreenCanvas.prototype;
    OffscreenCanvas.prototype.getContext = function (kind, ...rest) {
        const context = getContext.call(this, kind, ...rest);
        if (kind === "webgl2") self.card = context;
        return context;
    };
}"""
NO_WEBGL = """{
    const { getContext } = OffscreenCanvas.prototype;
    OffscreenCanvas.prototype.getContext = function (kind, ...rest) {
        return kind === "webgl2" ? null : getContext.call(this, kind, ...rest);
    };
}"""

START = """async ([options, language]) => {
    const helper = await import("/structure_app.js");
    const { createStructure } = await import("/viewer/structure/structure.js");
    const { createControls } = await import("/viewer/structure/controls.js");
    const { followFilters } = await import("/viewer/structure/filter.js");
    const app = helper.createApp(language);
    followFilters(app);
    const view = createStructure(document.getElementById("structure"), app);
    const controls = createControls(document.getElementById("controls"), app);
    const at = (t) => helper.show(app, helper.marketFrame(t, options));
    Object.assign(globalThis, { helper, app, view, controls, at });
}"""

COUNT_PICTURES = """
    globalThis.asked = 0;
    const request = globalThis.requestAnimationFrame.bind(globalThis);
    globalThis.requestAnimationFrame = (act) => { globalThis.asked++; return request(act); };
    globalThis.untilRest = async () => {
        let before = -1;
        for (let still = 0; still < 3; ) {
            await new Promise(request);
            still = before === globalThis.asked ? still + 1 : 0;
            before = globalThis.asked;
        }
    };
"""

# Where an agent stands, reckoned anew from its figures.
PIXEL = """async (agent) => {
    const { AXIS_ROOM, SteadyRange } = await import("/viewer/structure/range.js");
    const { FeatureReader, rowOf } = await import("/viewer/data/figures.js");
    const { extent } = await import("/viewer/structure/features.js");
    const { Lens } = await import("/viewer/structure/lens.js");
    const stage = document.querySelector(".stage");
    const { left, top, width, height } = stage.getBoundingClientRect();
    const lens = new Lens();
    lens.resize(width, height);
    const { frame } = app.moment.get();
    const reader = new FeatureReader();
    const share = (feature) => {
        const range = new SteadyRange(AXIS_ROOM);
        const values = reader.read(frame, feature);
        range.hold(...extent(values));
        return (values[rowOf(frame, agent)] - range.low) / (range.high - range.low);
    };
    const { scaleX, shiftX, scaleY, shiftY } = lens.factors;
    const { x, y } = app.settings.get();
    return [left + share(x) * scaleX + shiftX, top + share(y) * scaleY + shiftY];
}"""

# What is seen: red, green, blue and alpha of each pixel.
SEEN = """async () => {
    const picture = await view.snapshot();
    return picture.getContext("2d").getImageData(0, 0, picture.width, picture.height).data;
}"""

REDS = f"async () => [...(await ({SEEN})()).filter((_, k) => k % 4 === 0)]"

# The picture, as a number that changes with it, and how much of it is in a node's colours.
PICTURE = f"""async () => {{
    const data = await ({SEEN})();
    let mark = 0, blue = 0, orange = 0;
    for (let at = 0; at < data.length; at += 4) {{
        const [r, g, b] = [data[at], data[at + 1], data[at + 2]];
        mark = (Math.imul(mark, 31) + (r << 16) + (g << 8) + b) | 0;
        if (b > r + 100) blue++;
        if (r > b + 80) orange++;
    }}
    return {{ mark, blue, orange }};
}}"""


class Viewed:
    """A page with the structure and its controls."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def start(self, language: str = "en", t: int | None = 300, **options: int) -> None:
        self.page.evaluate(START, [options, language])
        if t is not None:
            self.show(t)

    def show(self, t: int) -> None:
        self.page.evaluate("(t) => at(t)", t)
        self.rest()

    def rest(self) -> None:
        self.page.evaluate("() => untilRest()")

    def set(self, **change: Any) -> None:
        self.page.evaluate("(change) => app.settings.set(change)", change)
        self.rest()

    def settings(self) -> dict[str, Any]:
        return self.page.evaluate("() => app.settings.get()")

    @property
    def selection(self) -> list[int]:
        return self.settings()["selection"]

    def pixel(self, agent: int) -> list[float]:
        return self.page.evaluate(PIXEL, agent)

    def picture(self) -> dict[str, int]:
        return self.page.evaluate(PICTURE)

    @property
    def painter(self) -> Worker:
        """The Worker that draws."""
        (painter,) = (each for each in self.page.workers if each.url.endswith(WORKER))
        return painter

    @property
    def is_drawn_by_a_card(self) -> bool:
        return self.painter.evaluate("() => Boolean(self.card && !self.card.isContextLost())")

    def says(self, selector: str, words: str) -> None:
        self.page.wait_for_function(
            "([selector, words]) => document.querySelector(selector)?.textContent.includes(words)",
            arg=[selector, words],
        )

    def hides(self, selector: str) -> None:
        self.page.wait_for_selector(selector, state="hidden")


def answer(route: Route) -> None:
    path = route.request.url.removeprefix(ORIGIN).partition("?")[0]
    if path == "/":
        route.fulfill(body=BODY, content_type="text/html")
    elif path == "/structure_app.js":
        route.fulfill(path=HELPER)
    else:
        route.fulfill(path=VIEWER / path.removeprefix("/viewer/"))


def answer_with(route: Route, script: str) -> None:
    worker = (VIEWER / WORKER.removeprefix("viewer/")).read_text()
    route.fulfill(body=f"{script}\n{worker}", content_type="text/javascript")


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Viewed]]:
    contexts = []
    errors: list[str] = []

    def open_page(in_worker: str = "", **options: Any) -> Viewed:
        context = browser.new_context(viewport={"width": 1000, "height": 640}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.add_init_script(COUNT_PICTURES)
        page.route(f"{ORIGIN}/**", answer)
        if in_worker:
            page.route(f"{ORIGIN}/{WORKER}", lambda route: answer_with(route, in_worker))
        page.goto(f"{ORIGIN}/")
        return Viewed(page)

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def viewed(opened: Callable[..., Viewed]) -> Viewed:
    """A page whose structure the processor draws."""
    viewed = opened()
    viewed.start(agents=60, edges=40)
    return viewed


def test_the_frame_in_words_and_in_both_languages(opened):
    viewed = opened()
    viewed.start(t=None)
    viewed.says(".notice", "No frame yet")
    viewed.page.evaluate("() => app.status.set({ replayError: 'no run no-such' })")
    viewed.says(".notice", "cannot be shown: no run no-such")
    viewed.page.evaluate("() => app.recording.set({ runs: [{ run: 'one', edgeCap: 60 }] })")
    viewed.show(300)
    viewed.hides(".notice")
    linked = viewed.page.evaluate("() => app.filtered.get().counts.linkedNodes")
    viewed.says(".counts", f"{linked} of 200 linked; cap reached; 30 match, 30 proximity")
    viewed.says("#structure-words", "Tick 300: 200 agents, 200 shown")
    viewed.page.uncheck("#controls .tick:has(.glyph-match) input")
    viewed.says("[aria-live]", "0 of 30 match, 30 proximity")
    viewed.set(language="zh")
    viewed.says(".counts", "成交 0 / 30 条")
    assert viewed.page.inner_text("h2 >> nth=0") == "图形"


def test_nodes_stand_where_their_figures_say(viewed):
    for agent in (3, 30, 171):
        viewed.page.mouse.move(*viewed.pixel(agent))
        viewed.page.wait_for_function("(agent) => app.hovered.get().agent === agent", arg=agent)
    viewed.says(".tip", "Agent 171")
    price = viewed.page.evaluate(
        "() => app.moment.get().frame.nodes.quote_price_mean[57].toLocaleString('en', "
        "{ maximumFractionDigits: 1 })"
    )
    viewed.says(".tip", price)
    viewed.page.mouse.move(5, 5)
    viewed.hides(".tip")
    assert viewed.page.evaluate("() => app.hovered.get().agent") is None


def test_agents_are_selected_by_click_and_lasso(viewed):
    mouse, keyboard = viewed.page.mouse, viewed.page.keyboard
    mouse.click(*viewed.pixel(30))
    assert viewed.selection == [30]
    keyboard.down("Shift")
    mouse.click(*viewed.pixel(171))
    assert viewed.selection == [30, 171]
    mouse.click(*viewed.pixel(30))
    assert viewed.selection == [171]
    stage = viewed.page.locator(".stage").bounding_box()
    left, top = stage["x"] + 63, stage["y"] + 11
    right, below = stage["x"] + stage["width"] - 15, stage["y"] + stage["height"] - 45
    mouse.move(left, top)
    mouse.down()
    for corner in ((right, top), (right, below), (left, below)):
        mouse.move(*corner)
    mouse.up()
    assert len(viewed.selection) == 60  # all, and the one that was selected among them
    keyboard.up("Shift")
    viewed.page.focus(".stage")
    keyboard.press("Escape")
    assert viewed.selection == []


def test_a_lasso_takes_so_many_and_says_so(opened):
    viewed = opened()
    viewed.start(agents=300)
    viewed.page.click("[data-label=lasso]")
    stage = viewed.page.locator(".stage").bounding_box()
    x, y, width, height = (stage[name] for name in ("x", "y", "width", "height"))
    viewed.page.mouse.move(x + 63, y + 11)
    viewed.page.mouse.down()
    for corner in ((x + width, y), (x + width, y + height), (x + 2, y + height)):
        viewed.page.mouse.move(*corner)
    viewed.page.mouse.up()
    assert len(viewed.selection) == 100
    viewed.says(".notice", "300 agents are selected at once; the first 100 were taken")


def test_zoom_and_pan_by_keys_wheel_and_buttons(viewed):
    page = viewed.page
    pictures = [viewed.picture()["mark"]]

    def changed(act: Callable[[], None]) -> None:
        act()
        viewed.rest()
        pictures.append(viewed.picture()["mark"])
        assert pictures[-1] != pictures[-2]

    page.focus(".stage")
    for key in ("+", "ArrowLeft", "ArrowUp", "-"):
        changed(lambda key=key: page.keyboard.press(key))
    changed(lambda: page.keyboard.press("0"))
    assert pictures[-1] == pictures[0]
    changed(lambda: page.click("[data-label=zoomIn]"))
    page.mouse.move(600, 200)
    changed(lambda: page.mouse.wheel(0, -200))
    page.mouse.down()
    changed(lambda: page.mouse.move(640, 260, steps=3))
    page.mouse.up()
    changed(lambda: page.click("[data-label=zoomReset]"))
    page.mouse.move(5, 5)
    viewed.rest()
    assert viewed.picture()["mark"] == pictures[0]
    assert viewed.selection == []


def test_colours_are_those_of_sides_or_of_a_scale(viewed):
    by_side = viewed.picture()
    assert by_side["blue"] > 50
    assert by_side["orange"] > 50
    viewed.set(sides=["buy"])
    assert viewed.picture()["orange"] == 0
    viewed.set(sides=["buy", "sell", "none"], color="match_count")
    assert viewed.picture()["orange"] == 0
    assert "matches" in viewed.page.inner_text(".legend")
    assert viewed.page.locator(".legend-bar").is_visible()


def test_controls_filter_with_counts(viewed):
    page = viewed.page
    counts = "() => app.filtered.get().counts"
    page.uncheck("#controls .tick:has(.glyph-sell) input")
    assert viewed.settings()["sides"] == ["buy", "none"]
    page.check("text=linked agents only")
    now = page.evaluate(counts)
    assert now["shownNodes"] == now["linkedNodes"] < now["bySide"]["buy"] + now["bySide"]["none"]
    viewed.says(".counts", f"{now['shownNodes']} of 60 shown")
    page.fill("#field-minWeight", "0.2")
    page.press("#field-minWeight", "Tab")
    assert viewed.settings()["minWeight"] == 0.2
    heavy = page.evaluate("() => app.moment.get().frame.edges.w.filter((w) => w >= 0.2).length")
    viewed.says(".weight", f"{heavy} of 40")
    page.click("text=Show everything")
    assert page.evaluate(counts)["shownNodes"] == 60
    assert page.is_disabled("text=Show everything")


def test_ranges_are_set_with_counts_and_faults(viewed):
    page = viewed.page
    page.select_option("#field-addRange", "match_count")
    first = viewed.settings()["ranges"]["match_count"]
    viewed.says(".range .count", "60 of 60")
    page.fill(".range input >> nth=0", str(first[1] + 1))
    page.press(".range input >> nth=0", "Tab")
    viewed.says(".fault", f"the least must not be above the greatest, got '{first[1] + 1}'")
    assert viewed.settings()["ranges"]["match_count"] == first
    page.fill(".range input >> nth=0", str(first[1]))
    page.press(".range input >> nth=0", "Tab")
    few = page.evaluate("() => app.filtered.get().counts.shownNodes")
    assert 0 < few < 60
    viewed.says(".range .count", f"{few} of 60")
    page.click(".range .remove")
    assert viewed.settings()["ranges"] == {}
    assert page.locator(".range").count() == 0


def test_agents_are_found_by_id(viewed):
    page = viewed.page

    def find(words: str, expected: str) -> None:
        page.fill("#field-findAgents", words)
        page.press("#field-findAgents", "Enter")
        viewed.says(".answer", expected)

    find("30, 171", "Selected: 30 171")
    assert viewed.selection == [30, 171]
    find("31", "Not in this frame: 31")
    find("-4", "'-4' is no agent id")
    viewed.set(sides=[])
    find("3", "Selected, but hidden by the filters: 3")
    viewed.says(".notice", "No agent passes the filters")


def test_selected_agents_have_trails(viewed):
    page = viewed.page
    for t in range(310, 400, 10):
        page.evaluate("(t) => at(t)", t)
    viewed.rest()
    viewed.set(selection=[30])
    with_trail = viewed.picture()
    page.uncheck("text=trails of selected agents")
    viewed.rest()
    assert viewed.picture()["blue"] < with_trail["blue"]


def test_forces_place_linked_agents_and_take_so_many(opened):
    viewed = opened()
    viewed.start(agents=300, edges=60)
    viewed.page.check("input[value=force]")
    viewed.page.wait_for_function(
        f"""async () => {{
            const {{ blue, orange }} = await ({PICTURE})();
            return blue > 50 && orange > 50;
        }}"""
    )
    assert viewed.page.is_disabled("#field-onX")
    hidden = viewed.page.locator(".notice").is_hidden()
    assert hidden
    viewed.set(types=[])
    viewed.says(".notice", "No agent is linked")
    viewed.page.evaluate(
        "() => helper.show(app, helper.marketFrame(310, { agents: 4000, edges: 3000 }))"
    )
    viewed.set(types=["match", "quote_proximity"])
    viewed.says(".notice", "the layout by forces takes 2,000 agents")
    viewed.rest()
    assert viewed.picture()["blue"] > 50  # on feature axes


@pytest.mark.parametrize("looks", [{}, {"color": "match_rate", "size": "experience_end"}])
def test_card_and_processor_draw_the_same(opened, looks):
    pictures = []
    for in_worker in (CARD, NO_WEBGL):
        viewed = opened(in_worker)
        viewed.start(agents=300, edges=200)
        viewed.set(**looks)
        viewed.rest()
        assert viewed.is_drawn_by_a_card == (in_worker is CARD)
        pictures.append(
            viewed.page.evaluate(
                f"async () => [...(await ({SEEN})()).filter((_, k) => k % 4 === 0)]"
            )
        )
    [card, processor] = (np.array(picture, float) for picture in pictures)
    ground = np.bincount(card.astype(int)).argmax()
    assert np.mean(card != ground) > 0.05
    # Lines and rims fall on one of two pixels beside each other.
    assert np.mean(np.abs(card - processor)) < 0.1 * np.mean(np.abs(card - ground))


def test_the_graphics_may_be_taken_away(opened):
    viewed = opened(CARD)
    viewed.start(agents=60, edges=40)
    before = viewed.picture()["mark"]
    worker = viewed.painter
    worker.evaluate(
        "() => { self.loss = card.getExtension('WEBGL_lose_context'); loss.loseContext(); }"
    )
    viewed.says(".notice", "The browser has taken the graphics away")
    viewed.page.evaluate("() => at(310)")
    worker.evaluate("() => loss.restoreContext()")
    viewed.hides(".notice")
    viewed.show(300)
    assert viewed.picture()["mark"] == before


def test_what_cannot_be_drawn_is_counted_all_the_same(opened):
    viewed = opened("throw new Error('no painter');")
    viewed.start(agents=60, edges=40)
    viewed.says(".notice", "cannot draw the structure")
    viewed.says(".counts", "of 60 linked")
    assert viewed.page.locator(".stage").count() == 0
    viewed.page.evaluate("() => { view.dispose(); controls.dispose(); }")
    assert viewed.page.inner_html("#structure") == ""


def test_nothing_is_drawn_when_nothing_changes(viewed):
    asked = viewed.page.evaluate("() => asked")
    viewed.rest()
    assert viewed.page.evaluate("() => asked") == asked
    viewed.page.evaluate("() => { view.dispose(); controls.dispose(); }")
    viewed.page.evaluate("() => at(310)")
    assert viewed.page.evaluate("() => asked") == asked
    assert viewed.page.inner_html("#structure") == ""
    assert viewed.page.inner_html("#controls") == ""


def test_nothing_moves_for_whoever_wants_no_motion(opened):
    viewed = opened(reduced_motion="reduce")
    viewed.start(agents=60, edges=40)
    before = viewed.page.evaluate("() => asked")
    viewed.show(310)
    assert viewed.page.evaluate("() => asked") == before + 1
    viewed.page.mouse.move(*viewed.pixel(30))
    viewed.page.wait_for_function("() => app.hovered.get().agent === 30")


def test_a_phone_shows_it_too(opened):
    viewed = opened(has_touch=True, device_scale_factor=2)
    viewed.page.set_viewport_size({"width": 390, "height": 844})
    viewed.start(agents=60, edges=40)
    wide = viewed.page.evaluate("() => document.documentElement.scrollWidth")
    assert wide <= 390
    assert viewed.picture()["blue"] > 50
    x, y = viewed.pixel(30)
    viewed.page.touchscreen.tap(x, y)
    assert viewed.selection == [30]
