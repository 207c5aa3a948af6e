"""Inspector, table and comparison in a browser, given agents made from a formula."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.viewer.conftest import ORIGIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

HELPER = Path(__file__).parent / "structure_app.js"
SHEETS = "".join(
    f'<link rel="stylesheet" href="/viewer/style/{name}.css">' for name in ("base", "agents")
)
BODY = f"""<!doctype html><html lang="en"><head><title>agents</title>
<link rel="icon" href="data:,">{SHEETS}</head>
<body><main><aside id="agents"></aside></main></body></html>"""

START = """async (options) => {
    const helper = await import("/structure_app.js");
    const { Observable } = await import("/viewer/state/observable.js");
    const { Comparison, initialCompared } = await import("/viewer/data/comparison.js");
    const { followFilters } = await import("/viewer/structure/filter.js");
    const { createAgents } = await import("/viewer/agents/agents.js");
    const app = helper.createApp();
    app.compared = new Observable(initialCompared());
    app.director = {};
    const replay = {
        asked: [], shut: 0,
        show(...values) { this.asked.push(values); },
        close() { this.shut += 1; },
    };
    new Comparison(app, (listener) => { replay.listener = listener; return replay; });
    followFilters(app);
    const root = document.getElementById("agents");
    const view = createAgents(root, app);
    app.text.keep(root);
    const frame = (t) => helper.marketFrame(t, options);
    const show = (t, more) => helper.show(app, frame(t), more);
    const settled = () => new Promise((act) =>
        requestAnimationFrame(() => requestAnimationFrame(act)));
    const row = (feature) => [...root.querySelectorAll(".figures tbody tr")]
        .find((line) => line.cells[0].textContent === app.text.t(feature));
    const cells = (feature) => [...row(feature).cells].slice(1).map((cell) => cell.textContent);
    Object.assign(globalThis, { app, replay, view, frame, show, settled, cells, helper });
}"""

ORDERED = """async ([columns, asked]) => {
    const { ordered } = await import("/viewer/agents/ordering.js");
    const numbers = (list) => Float64Array.from(list, (value) => value ?? NaN);
    const nodes = { count: columns.agent_id.length, sides: [] };
    for (const [name, list] of Object.entries(columns)) nodes[name] = numbers(list);
    return asked.map(({ shown, ...rest }) => [...ordered({ nodes },
        { ...rest, shown: shown && Uint8Array.from(shown) })]);
}"""


@pytest.fixture
def page(modules: Page) -> Iterator[Page]:
    """An origin with the panel of agents alone."""
    modules.route(f"{ORIGIN}/structure_app.js", lambda route: route.fulfill(path=HELPER))
    modules.route(f"{ORIGIN}/agents", lambda r: r.fulfill(body=BODY, content_type="text/html"))
    errors: list[str] = []
    modules.on("pageerror", lambda error: errors.append(str(error)))
    modules.goto(f"{ORIGIN}/agents")
    yield modules
    assert not errors


def begin(page: Page, **options: int) -> None:
    page.evaluate(START, options)


def shown_ids(page: Page) -> list[int]:
    return page.evaluate("""async () => {
        await settled();
        return [...document.querySelectorAll(".rows .row:not([hidden])")]
            .map((row) => Number(row.children[0].textContent));
    }""")


def test_the_order_is_stable_and_the_unknown_stands_last(modules):
    count = 200
    columns: dict[str, list[float | None]] = {
        "agent_id": [3 * row for row in range(count)],
        "buy_count": [row % 5 for row in range(count)],
        "sell_count": [0] * count,
        "match_count": [row * 7 % 11 for row in range(count)],
        "quote_price_mean": [100 + row * 13 % 17 if row % 5 else 0 for row in range(count)],
        "experience_end": [None if row % 4 == 0 else row * 5 % 9 - 4 for row in range(count)],
        "dominant_side": [row % 3 for row in range(count)],
    }
    shown = [row % 6 != 1 for row in range(count)]
    asked: list[dict[str, Any]] = [
        {"column": name, "descending": descending, "shown": some, "search": search}
        for name in columns
        for descending in (False, True)
        for some, search in ((None, ""), ([int(one) for one in shown], "1"))
    ]
    told = modules.evaluate(ORDERED, [columns, asked])
    for case, ids in zip(asked, told, strict=True):
        values = list(columns[case["column"]])
        if case["column"] == "quote_price_mean":  # who has quoted nothing has no price
            values = [value if row % 5 else None for row, value in enumerate(values)]
        rows = [
            row
            for row in range(count)
            if (case["shown"] is None or shown[row]) and str(3 * row).startswith(case["search"])
        ]
        sign = -1 if case["descending"] else 1

        def place(row: int, values: Any = values, sign: int = sign) -> float:
            return math.inf if values[row] is None else sign * values[row]

        assert ids == [3 * row for row in sorted(rows, key=place)], case


def test_of_ten_thousand_agents_only_those_in_sight_are_elements(page):
    begin(page, agents=10_000)
    page.evaluate("() => { app.settings.set({ panel: 'table' }); show(300); }")
    page.wait_for_function("document.querySelector('.table-bar output').textContent !== ''")
    assert page.text_content(".table-bar output") == "10,000 of 10,000"
    page.click("[role=columnheader] >> nth=0")  # by id
    assert shown_ids(page)[:3] == [0, 3, 6]
    assert page.locator(".rows .row").count() < 100
    assert page.get_attribute("[role=grid]", "aria-rowcount") == "10001"
    page.focus("[role=grid]")
    page.keyboard.press("End")
    assert 3 * 9_999 in shown_ids(page)
    assert page.locator(".rows .row").count() < 100
    active = page.get_attribute("[role=grid]", "aria-activedescendant")
    assert page.get_attribute(f"#{active}", "aria-rowindex") == "10001"
    page.keyboard.press("Enter")
    assert page.evaluate("app.settings.get().selection") == [3 * 9_999]
    page.fill("input[type=search]", "2999")
    assert shown_ids(page) == [29_991, 29_994, 29_997]


def test_the_last_frame_is_shown_though_it_came_soon_after_another(page):
    """What is left out for the sake of pace is made up for, also when nothing more comes."""
    begin(page)
    page.evaluate("() => { app.settings.set({ selection: [3] }); show(300); }")
    page.evaluate("() => { for (const t of [310, 320, 330, 340]) show(t); }")
    wanted = page.evaluate("String(frame(340).nodes.match_count[1])")
    page.wait_for_function("(wanted) => cells('match_count')[0] === wanted", arg=wanted)
    page.evaluate("() => app.settings.set({ selection: [] })")
    page.evaluate("() => { for (const t of [350, 360, 370]) show(t); }")
    page.wait_for_function("document.querySelector('.facts').textContent.includes('– 370')")


def test_another_selection_is_filled_in_at_once(page):
    begin(page)
    page.evaluate("() => { app.settings.set({ selection: [3] }); show(300); }")
    page.evaluate("() => app.settings.set({ selection: [3, 6] })")
    wanted = page.evaluate("[1, 2].map((row) => String(frame(300).nodes.match_count[row]))")
    assert page.evaluate("cells('match_count').slice(0, 2)") == wanted


def test_who_has_quoted_nothing_has_no_price_anywhere(page):
    begin(page)
    page.evaluate("() => { app.settings.set({ selection: [150] }); show(300); }")  # of each 50th
    assert page.evaluate("frame(300).nodes.quote_price_mean[50]") == 0
    assert page.evaluate("cells('quote_price_mean')[0]") == "unknown"
    assert page.evaluate("cells('buy_count')[0]") == "0"


def test_two_moments_are_compared(page):
    begin(page)
    page.evaluate("() => { app.settings.set({ selection: [3] }); show(300); }")
    page.click(".comparison >> text=Compare with this moment")
    assert page.evaluate("app.settings.get().compare") == {"run": "one", "t": 300}
    page.evaluate("() => { app.cursor.set({ playing: false }); show(400); }")
    now, then = page.evaluate("[400, 300].map((t) => frame(t).nodes.match_count[1])")
    change = f"{'+' if now > then else '−'}{abs(now - then)}" if now != then else "0"
    assert page.evaluate("cells('match_count').slice(0, 3)") == [str(now), str(then), change]
    assert page.text_content(".comparison [role=status]") == "Compared with t = 300"
    # It is held for as long as it is chosen, whatever becomes of the frames beside it.
    page.evaluate("() => { app.moments.at = () => null; show(410); }")
    assert page.evaluate("cells('match_count')[1]") == str(then)
    assert page.evaluate("replay.asked") == []
    page.click(".comparison >> text=End the comparison")
    assert page.evaluate("cells('match_count').length") == 2  # the figure, and its course


def test_a_moment_to_compare_with_is_fetched_once(page):
    begin(page)
    page.evaluate("() => { app.recording.set({ loaded: false }); show(400); }")
    page.evaluate("() => app.settings.set({ selection: [3], compare: { run: 'one', t: 300 } })")
    assert page.text_content(".comparison [role=status]") == "Fetching t = 300 …"
    assert page.evaluate("replay.asked") == []  # the camera has not told its runs
    page.evaluate("() => app.recording.set({ loaded: true })")
    page.evaluate("() => app.recording.set({ runs: [] })")
    assert page.evaluate("replay.asked") == [["one", 300]]
    page.evaluate("() => replay.listener.onFrame('one', frame(300))")
    assert page.text_content(".comparison [role=status]") == "Compared with t = 300"
    then = page.evaluate("String(frame(300).nodes.match_count[1])")
    page.wait_for_function("(then) => cells('match_count')[1] === then", arg=then)
    assert page.evaluate("app.moment.get().t") == 400


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("onFrame('one', frame(310))", "There is no frame of t = 300 to compare with."),
        ("onEnd('one')", "There is no frame of t = 300 to compare with."),
        ("onError('disk on fire')", "t = 300 cannot be compared with: disk on fire"),
    ],
)
def test_what_cannot_be_compared_with_is_told_and_tried_again(page, answer, words):
    begin(page)
    page.evaluate("() => { show(400); app.settings.set({ compare: { run: 'one', t: 300 } }); }")
    page.evaluate(f"() => replay.listener.{answer}")
    assert page.text_content(".comparison [role=status]") == words
    page.click(".comparison >> text=Try again")
    assert page.evaluate("replay.asked") == [["one", 300], ["one", 300]]
