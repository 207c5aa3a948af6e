"""The page's connections: who hears what, and what a replay passes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.viewer.conftest import page_of_modules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

WIRES = """async (script) => {
    const { Wires } = await import("/viewer/data/wires.js");
    const workers = [];
    const wires = new Wires(() => {
        const told = [];
        const worker = { told, postMessage: (each) => told.push(each), terminate: () => {} };
        workers.push(worker);
        return worker;
    });
    const heard = [];
    const listen = (who) => (answer) => {
        heard.push([who, answer.is]);
        if (answer.is === "frame") throw new Error("a view fails");
    };
    const say = (id, is) => {
        try {
            workers.at(-1).onmessage({ data: { id, is } });
        } catch (error) {
            heard.push(error.message);
        }
    };
    eval(script);
    return { heard, told: workers.map(({ told }) => told.map((each) => [each.do, each.id])) };
}"""

WORKER = """async (script) => {
    const posted = [];
    self.told = ({ is, reason }) => posted.push([is, reason ?? null]);
    self.postMessage = (answer) => self.told(answer); // the module keeps this one
    const sockets = [];
    self.WebSocket = class {
        static CONNECTING = 0;
        static OPEN = 1;
        readyState = 0;
        sent = [];
        constructor() { sockets.push(this); }
        send(text) { this.sent.push(text); }
        close() { this.readyState = 2; }
        open() { this.readyState = 1; this.onopen(); }
    };
    await import("/viewer/data/worker.js");
    const tell = (told) => self.onmessage({ data: told });
    const framed = { data: new ArrayBuffer(8) };
    const text = (n) => ({ data: JSON.stringify({ type: "gap", n }) });
    eval(script);
    return { posted, sent: sockets.map(({ sent }) => sent) };
}"""

REPLAY = """async (script) => {
    const { Replay } = await import("/viewer/data/replay.js");
    const { Observable } = await import("/viewer/state/observable.js");
    const { initialStatus } = await import("/viewer/data/live.js");
    const passed = [], said = [];
    let listener;
    const wires = {
        open: (name, url, token, listens) => { listener = listens; },
        say: (name, { type }) => said.push(type),
        close: () => {},
    };
    const server = { socketAddress: () => "", json: async () => { throw new Error("401"); } };
    const status = new Observable(initialStatus());
    const replay = new Replay({ wires, server, status, listener: {
        onFrame: (run, frame) => passed.push(frame),
        onEnd: () => passed.push("end"),
        onError: (reason) => passed.push(reason),
        onRate: (run, rate) => passed.push(`${rate}/s`),
    } });
    const frame = (t) => listener({ is: "frame", frame: t });
    const told = (message) => listener({ is: "message", message });
    const sought = () => told({ type: "seek" });
    const ended = () => told({ type: "replay", state: "ended", tick_rate: 40 });
    const lost = { type: "gap", kind: "frame", to_t: 9, reason: "not_recorded" };
    const gap = (from_t) => told({ ...lost, from_t });
    await eval(`(async () => { ${script} })()`);
    const { dropped, gaps } = status.get();
    const missing = gaps.map(({ run, kind, from_t }) => [run, kind, from_t]);
    return { passed, said, gaps: missing, dropped };
}"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    with page_of_modules(browser) as page:
        yield page


def test_what_an_earlier_connection_says_is_heard_by_nobody(page):
    script = """
        wires.open("replay", "", null, listen("first"));
        wires.open("replay", "", null, listen("second"));
        say(1, "open"); say(1, "closed"); say(2, "open");
        wires.close("replay"); say(2, "closed");
        wires.say("replay", {});
    """
    assert page.evaluate(WIRES, script) == {
        "heard": [["second", "open"]],
        "told": [[["open", 1], ["close", 1], ["open", 2], ["close", 2]]],
    }


def test_a_frame_that_a_view_fails_on_is_taken_all_the_same(page):
    heard = page.evaluate(WIRES, 'wires.open("a", "", null, listen("a")); say(1, "frame");')
    assert heard == {
        "heard": [["a", "frame"], "a view fails"],
        "told": [[["open", 1], ["taken", 1]]],
    }


def test_where_the_worker_fails_all_are_told_and_the_next_has_another(page):
    script = """
        wires.open("live", "", null, listen("live"));
        wires.open("replay", "", null, listen("replay"));
        workers[0].onerror({ message: "it fails" });
        wires.open("live", "", null, listen("again"));
        say(3, "open");
    """
    assert page.evaluate(WIRES, script) == {
        "heard": [["live", "closed"], ["replay", "closed"], ["again", "open"]],
        "told": [[["open", 1], ["open", 2]], [["open", 3]]],
    }


def test_what_is_said_before_it_is_open_is_said_then(page):
    script = """
        tell({ do: "open", id: 1, url: "", token: "secret" });
        tell({ do: "say", id: 1, message: { type: "seek" } });
        tell({ do: "say", id: 2, message: { type: "lost" } });
        sockets[0].open();
        tell({ do: "say", id: 1, message: "ping" });
    """
    answers = page.evaluate(WORKER, script)
    assert answers["posted"] == [["open", None]]
    assert answers["sent"] == [['{"type":"auth","token":"secret"}', '{"type":"seek"}', "ping"]]


def test_a_connection_that_never_opens_keeps_only_so_much(page):
    script = """
        tell({ do: "open", id: 1, url: "", token: null });
        for (let n = 0; n < 300; n++) tell({ do: "say", id: 1, message: { n } });
    """
    answers = page.evaluate(WORKER, script)
    assert answers["posted"] == [["closed", "it does not open: 256 messages wait"]]


def test_what_came_before_the_end_is_told_before_the_end(page):
    script = """
        tell({ do: "open", id: 1, url: "", token: null });
        sockets[0].open();
        const connection = sockets[0];
        for (const n of [1, 2]) connection.onmessage(text(n));
        connection.onmessage(framed);
        connection.onmessage(text(3));
        connection.onclose({ code: 1011, reason: "" });
    """
    posted = page.evaluate(WORKER, script)["posted"]
    assert [is_ for is_, _ in posted] == [
        "open",
        *["message"] * 2,
        "unreadable",
        "message",
        "closed",
    ]


def test_only_the_frame_that_was_asked_for_last_is_passed_on(page):
    script = """
        replay.show("a", 10); replay.show("a", 20);
        frame(1); sought(); frame(10); sought(); frame(20); frame(30);
        replay.show("a", 40); replay.forget(); sought(); frame(40);
        replay.play("a", 50, 1); sought(); frame(50); frame(60); replay.pause(); frame(70);
    """
    assert page.evaluate(REPLAY, script)["passed"] == [20, 50, 60]


def test_an_end_and_an_error_are_told_once_and_only_of_what_is_wanted(page):
    script = """
        replay.show("a", 10); ended(); sought(); ended(); ended();
        replay.play("a", 20, 1);
        told({ type: "error", message: "of before" }); sought();
        told({ type: "error", message: "it cannot be read" }); ended();
    """
    passed = [each for each in page.evaluate(REPLAY, script)["passed"] if each != "40/s"]
    assert passed == ["end", "it cannot be read"]


def test_what_is_missing_of_a_replay_is_told_once(page):
    script = """
        replay.play("a", 0, 1); gap(1); sought(); gap(5); gap(5); gap(7);
        listener({ is: "dropped", count: 2 });
    """
    answers = page.evaluate(REPLAY, script)
    assert answers["gaps"] == [["a", "frames", 5], ["a", "frames", 7]]
    assert answers["dropped"] == 2


@pytest.mark.parametrize(("meanwhile", "passed"), [("", ["401"]), ("replay.forget();", [])])
def test_a_replay_that_is_refused_says_why_if_that_is_still_wanted(page, meanwhile, passed):
    script = f"""
        replay.show("a", 0); listener({{ is: "closed", code: 1006, reason: "" }});
        {meanwhile} await new Promise((done) => setTimeout(done));
    """
    assert page.evaluate(REPLAY, script)["passed"] == passed
