"""What the page says of itself, and what it keeps of what comes: the parts that need no camera."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.browser

NOW = 100_000.0
LIVE = {"run": "a", "stride": 10, "metricStep": 1, "tickRate": 100}
WELL = {"serverT": 1003, "lastMessageAt": NOW - 20, "lastFrameAt": NOW - 60}

STANDS = """async ({ cursor, status, live, now }) => {
    const { connectionLine, expectedMs, isStale, momentLine }
        = await import("/viewer/people/standing.js");
    const { initialStatus } = await import("/viewer/data/live.js");
    const known = { ...initialStatus(), connection: "open", ...status };
    const shown = { mode: "live", run: "a", t: 1000, playing: true, ...cursor };
    const connection = connectionLine(known, now, expectedMs(live));
    const moment = momentLine(shown, known, live, now);
    return [connection, moment, isStale(connection, moment, shown)];
}"""

TROUBLES = """async ([status, recording, metricsMissing]) => {
    const { recordingLines, troubleLines } = await import("/viewer/people/standing.js");
    const { initialStatus } = await import("/viewer/data/live.js");
    const { initialRecording } = await import("/viewer/data/recording.js");
    const known = { ...initialRecording(), ...recording };
    known.eventsMissing = new Set(recording.eventsMissing);
    const lines = recordingLines(known, "a", new Set(metricsMissing));
    return troubleLines({ ...initialStatus(), ...status }, lines);
}"""

CAMERA = """
    const answers = new Map();
    const asked = [];
    const server = {
        json(path, query = {}) {
            asked.push([path, query.from_t ?? null]);
            return new Promise((resolve, reject) => answers.set(asked.length, { resolve, reject }));
        },
    };
    const later = setTimeout;
    const settled = () => new Promise((resolve) => later(resolve));
    const answer = (number, value) => { answers.get(number).resolve(value); return settled(); };
    const refuse = (number, error) => { answers.get(number).reject(error); return settled(); };
"""

LISTED = """
    const { RecordingList, initialRecording } = await import("/viewer/data/recording.js");
    const { RequestFailed, TokenNeeded } = await import("/viewer/data/server.js");
    const { Observable } = await import("/viewer/state/observable.js");
    const recording = new Observable(initialRecording());
    const list = new RecordingList(server, recording);
    const listed = (first_t, last_t, more = {}) => ({
        run: "a", started_at: "2026-01-01T00:00:00Z", ended_at: null, current: true,
        kinds: { frames: { first_t, last_t }, metrics: { first_t, last_t } },
        about: { camera: { W: 30, stride: 10 }, tick_rate: 50, metric_downsample: 4 }, holes: [],
        ...more,
    });
    const health = (run, recording = true) => ({
        run, recording, meta: { ticks: 1, start_ts: 0 }, camera: { stride: 10, W: 30 },
    });
    const frame = (t, bursts = []) => ({
        t, window: { t0: t - 29, W: 30, stride: 10 },
        events: { bursts: bursts.map((at) => ({ t: at, value: 3, score: 4 })), shocks: [] },
    });
    const burst = (t) => ({ type: "burst", t, value: 3, score: 4 });
    const page = (ticks, covered_to = null, complete = covered_to === null) => ({
        events: ticks.map(burst), covered_to, complete, source: "recorded",
    });
    const known = () => recording.get().runs.find(({ run }) => run === "a");
    const events = () => (recording.get().events.get("a") ?? []).map(({ t }) => t);
"""

SERIES = """
    const { Series } = await import("/viewer/data/series.js");
    const { SERIES } = await import("/viewer/state/settings.js");
    const series = new Series(server);
    const metrics = (from, to, step = 1) => {
        const found = [];
        for (let t = from; t <= to; t += step) {
            found.push({ t, ...Object.fromEntries(SERIES.map((key) => [key, t])) });
        }
        return found;
    };
    const now = performance.now.bind(performance);
    let clock = 0;
    performance.now = () => clock;
"""

STREAM = """
    const { initialStatus, Live } = await import("/viewer/data/live.js");
    const { Observable } = await import("/viewer/state/observable.js");
    const status = new Observable(initialStatus());
    const told = [];
    const said = [];
    const wires = {
        open: (name, url, token, listener) => { wires.hear = listener; },
        say: (name, message) => said.push(message),
        close: () => said.push("close"),
    };
    const tick = (what) => what.t ?? what.from_t ?? what[0].t;
    const note = (name) => (run, what) => told.push([name, run, tick(what)]);
    const listener = {
        onFrame: note("frame"), onMetrics: note("metrics"), onGap: note("gap"),
        onHealth() {}, onOpen: () => told.push("open"), onTokenNeeded() {},
    };
    const health = (run) => ({ run, recording: true, meta: { running: true } });
    let [clock, look] = [0, null];
    const timers = new Set();
    performance.now = () => clock;
    setTimeout = (work, ms) => { const timer = { work, ms }; timers.add(timer); return timer; };
    clearTimeout = (timer) => timers.delete(timer);
    setInterval = (work) => { look = work; };
    const times = () => [...timers].map(({ ms }) => ms);
    const live = new Live({
        wires, server: { ...server, token: null, socketAddress: () => "ws://" }, status, listener,
    });
    const hear = (is, what) => wires.hear({ is, ...what });
    const frame = (t) => hear("frame", { frame: { t } });
    const metric = (t) => hear("metrics", { metrics: [{ t }] });
    live.start();
    await answer(1, health("a"));
    hear("open");
"""


def ask(modules: Any, program: str, *parts: str) -> Any:
    return modules.evaluate(f"async () => {{ {CAMERA} {''.join(parts)} {program} }}")


@pytest.fixture
def stands(modules):
    def stand(**given: Any) -> tuple[str, str, bool]:
        case = {"cursor": {}, "live": LIVE, "now": NOW} | given
        case["status"] = WELL | case.get("status", {})
        connection, moment, stale = modules.evaluate(STANDS, case)
        return connection["key"], moment["key"], stale

    return stand


def test_what_is_live_is_said_to_be(stands):
    assert stands() == ("connected", "showsLive", False)


def test_a_run_that_is_over_is_not_shown_as_live(stands):
    assert stands(cursor={"run": "of before"}) == ("connected", "waitsForRun", True)
    assert stands(status={"lastFrameAt": None}) == ("connected", "waitsForRun", True)
    away = {"mode": "recorded", "playing": False, "run": "of before"}
    assert stands(cursor=away) == ("connected", "standsOther", False)
    assert stands(cursor=away | {"playing": True}) == ("connected", "playsOther", False)


def test_frames_that_stop_while_metrics_go_on_are_the_past(stands):
    for about, pace, most in [
        ({}, None, 300),
        ({"stride": 100}, None, 500),
        ({"tickRate": 1000}, None, 3000),
        ({}, 5000, 15_000),  # a source without a pace has the one that is seen
    ]:
        for behind, expected in [
            (most, ("connected", "showsLive", False)),
            (most + 1, ("connected", "lags", True)),
        ]:
            case = {"live": LIVE | about, "status": {"serverT": 1000 + behind, "pace": pace}}
            assert stands(**case) == expected
            away = {"mode": "recorded", "playing": False}
            assert stands(**case, cursor=away) == ("connected", "stands", False)


def test_silence_is_stale_when_something_should_have_come(stands):
    for about, most in [
        ({}, 3_000),
        ({"tickRate": 1}, 5_000),
        ({"tickRate": 1, "metricStep": 7}, 35_000),
        ({"tickRate": 1, "metricStep": 50}, 50_000),  # a frame comes sooner than a metric
    ]:
        for silent, expected in [(most, "connected"), (most + 1, "stale")]:
            said = stands(live=LIVE | about, status={"lastMessageAt": NOW - silent})
            assert said == (expected, "showsLive", expected == "stale")


def test_without_a_connection_the_picture_is_stale(stands):
    for connection in ("refused", "connecting", "reconnecting"):
        assert stands(status={"connection": connection}) == (connection, "showsLive", True)
    ended = {"sourceRunning": False, "lastMessageAt": NOW - 60_000}
    assert stands(status=ended) == ("sourceEnded", "showsLive", False)


def test_the_worst_is_said_first(modules):
    status = {
        "replayError": "no such run", "unreadable": {"count": 2, "reason": "version 9"},
        "recordingOff": "disk full", "dropped": 3, "degraded": ["slow"],
        "gaps": [{"kind": "frame", "from_t": 1, "to_t": 2, "reason": "slow"}],
    }  # fmt: skip
    recording = {"error": "HTTP 500", "eventsMissing": ["a"]}
    lines = modules.evaluate(TROUBLES, [status, recording, ["a"]])
    assert [line["key"] for line in lines] == [
        "replayError", "unreadable", "recordingOff", "recordingError", "eventsMissing",
        "metricsMissing", "gaps", "dropped", "degraded",
    ]  # fmt: skip
    assert lines[1]["values"] == {"count": 2, "reason": "version 9"}
    assert modules.evaluate(TROUBLES, [{}, {"eventsMissing": ["b"]}, ["b"]]) == []


def test_what_is_no_longer_kept_is_no_longer_offered(modules):
    program = """
        list.start();
        await answer(1, [listed(0, 500)]);
        list.takeHealth(health("a"));
        await answer(2, [listed(0, 500)]);
        list.takeFrame("a", frame(540));
        const { first_t, lastFrame, metricStep, tickRate } = known();
        list.refresh();
        await answer(3, [listed(200, 520)]);
        return [[first_t, lastFrame, metricStep, tickRate],
            [known().first_t, known().firstFrame, known().lastFrame]];
    """
    assert ask(modules, program, LISTED) == [[0, 540, 4, 50], [200, 200, 540]]


def test_an_answer_that_was_overtaken_is_left_out(modules):
    program = """
        list.start();
        list.refresh();
        await answer(2, [listed(100, 600)]);
        await answer(1, [listed(0, 500)]);
        return [known().first_t, known().last_t];
    """
    assert ask(modules, program, LISTED) == [100, 600]


def test_the_first_answer_is_one_behind_the_token(modules):
    program = """
        const told = [];
        list.start().then(() => told.push("there"));
        await refuse(1, new TokenNeeded("a token, please"));
        told.push("refused");
        list.refresh();
        await answer(2, [listed(0, 500)]);
        return told;
    """
    assert ask(modules, program, LISTED) == ["refused", "there"]


def test_a_run_is_known_as_soon_as_the_camera_names_it(modules):
    program = """
        list.takeHealth(health("a"));
        const first = known().current;
        list.takeHealth(health("b"));
        return [first, known().current, recording.get().runs.map(({ run }) => run)];
    """
    assert ask(modules, program, LISTED) == [True, False, ["a", "b"]]


@pytest.mark.parametrize(("recorded", "holes"), [("true", 0), ("false", 1)])
def test_what_was_not_sent_is_a_hole_where_nothing_is_recorded(modules, recorded, holes):
    program = f"""
        list.takeHealth(health("a", {recorded}));
        list.takeGap("a", {{ kind: "frames", from_t: 3, to_t: 9, reason: "slow" }});
        await refuse(1, new Error("later"));
        list.refresh();
        await answer(2, [listed(0, 500, {{ current: false }})]);
        return known().holes.length;
    """
    assert ask(modules, program, LISTED) == holes


def test_events_are_asked_for_page_after_page_and_again_after_an_outage(modules):
    program = """
        list.takeHealth(health("a"));
        await answer(1, [listed(0, 500)]);
        list.wantEvents("a");
        list.wantEvents("a");
        await answer(2, page([3, 9], 9));
        await answer(3, page([90, 120]));
        list.takeFrame("a", frame(130, [120, 125]));
        list.takeFrame("a", frame(140, [120, 125, 139]));
        list.reopened();
        await settled();
        await answer(5, page([90, 120, 125, 139, 300]));
        return [asked, events(), [...recording.get().eventsMissing]];
    """
    asked, events, missing = ask(modules, program, LISTED)
    assert asked == [
        ["runs", None],
        ["events", None],
        ["events", 10],
        ["runs", None],
        ["events", 90],
    ]
    assert events == [3, 9, 90, 120, 125, 139, 300]
    assert missing == []


def test_events_that_could_not_be_asked_for_are_asked_for_again(modules):
    program = """
        list.wantEvents("a");
        await refuse(1, new Error("away"));
        const { error } = recording.get();
        list.refresh();
        await answer(2, [listed(0, 500)]);
        await answer(3, page([7], null, false));
        return [error, events(), recording.get().error, [...recording.get().eventsMissing]];
    """
    assert ask(modules, program, LISTED) == ["away", [7], None, ["a"]]


def test_frames_that_are_missing_for_a_window_may_have_shown_events(modules):
    program = """
        list.wantEvents("a");
        await answer(1, page([7]));
        for (const t of [100, 110, 140, 200]) list.takeFrame("a", frame(t));
        list.refresh();
        await answer(2, [listed(0, 500)]);
        return asked.length;
    """
    assert ask(modules, program, LISTED) == 3
    assert ask(modules, program.replace("140, 200", "139, 168"), LISTED) == 2


def test_of_a_run_that_is_not_recorded_nothing_is_asked_for_again(modules):
    program = """
        list.wantEvents("a");
        await refuse(1, new RequestFailed("no run 'a'", 404));
        list.refresh();
        await answer(2, []);
        return [asked.length, recording.get().error];
    """
    assert ask(modules, program, LISTED) == [2, None]


def test_events_are_joined_at_the_end(modules):
    program = """
        const { withEvents } = await import("/viewer/data/events.js");
        const event = ([type, t]) => ({ type, t });
        const known = [["burst", 1], ["burst", 5], ["shock", 5], ["burst", 9]].map(event);
        const join = (...found) => withEvents(known, found.map(event));
        return [
            join() === known, join(["shock", 5], ["burst", 9]) === known,
            join(["shock", 9], ["burst", 4], ["burst", 5]).map(({ type, t }) => type[0] + t),
        ];
    """
    assert ask(modules, program) == [True, True, ["b1", "b4", "b5", "s5", "b9", "s9"]]


def test_metrics_before_an_outage_are_left_to_the_recording(modules):
    program = """
        series.add("a", metrics(0, 99));
        const before = series.heldFrom;
        series.add("a", metrics(104, 200));
        const few = series.heldFrom;
        series.add("a", metrics(700, 800));
        const outage = series.heldFrom;
        clock = 1_000;
        series.add("a", metrics(900, 950));
        const soon = series.heldFrom;
        clock = 6_000;
        series.add("a", metrics(951, 960));
        performance.now = now;
        return [before, few, outage, soon, series.heldFrom, series.at("a", 850).t];
    """
    assert ask(modules, program, SERIES) == [0, 0, 700, 700, 900, 800]


def test_metrics_are_kept_where_nothing_is_recorded(modules):
    program = """
        series.isRecorded = false;
        series.add("a", metrics(0, 96, 4));
        series.add("a", metrics(700, 800, 4));
        performance.now = now;
        const held = series.readHeld(0, 800, 900);
        series.add("b", metrics(500, 504));
        series.add("b", metrics(495, 506));
        const overlapping = [series.heldFrom, series.length];
        series.add("b", metrics(0, 4));
        return [held.t[0], overlapping, series.heldFrom, series.length];
    """
    assert ask(modules, program, SERIES) == [0, [500, 7], 0, 5]


def test_what_cannot_be_read_of_the_metrics_is_noted(modules):
    program = """
        performance.now = now;
        const line = { min: [1], max: [1], last: [1] };
        const lines = Object.fromEntries(SERIES.map((key) => [key, line]));
        const slice = series.read("a", 0, 10, 5);
        await answer(1, { t: [0], series: lines, complete: false, sampled: false });
        return [(await slice).t.length, [...series.metricsMissing]];
    """
    assert ask(modules, program, SERIES) == [1, ["a"]]


def test_of_which_run_a_frame_is_the_camera_says(modules):
    program = """
        frame(500);
        metric(507);
        look();
        hear("metrics", { metrics: [{ t: 508 }, { t: 18 }] });
        frame(20);
        metric(21);
        frame(30);
        const held = told.length;
        await answer(2, health("a")); // asked before ticks went back
        const early = told.length;
        await answer(3, health("b"));
        frame(40);
        const { serverT, lastFrameAt } = status.get();
        return [told, held, early, serverT, lastFrameAt];
    """
    told, held, asked, server_t, last_frame_at = ask(modules, program, STREAM)
    assert told == [
        "open", ["frame", "a", 500], ["metrics", "a", 507],
        ["metrics", "a", 508], ["metrics", "b", 18],
        ["frame", "b", 20], ["metrics", "b", 21], ["frame", "b", 30], ["frame", "b", 40],
    ]  # fmt: skip
    assert (held, asked, server_t, last_frame_at) == (4, 4, 40, 0)


def test_a_connection_on_which_nothing_comes_is_asked_and_given_up(modules):
    program = """
        const opened = times();
        frame(10);
        clock = 75_000;
        look();
        const patient = said.length;
        clock = 75_001;
        look();
        look();
        const pinged = [...said, ...times()];
        hear("message", { message: { type: "pong" } });
        const answered = times();
        clock = 80_002;
        dispatchEvent(new Event("online"));
        const [doubt] = timers;
        doubt.work();
        const { connection, reason } = status.get();
        return { opened, patient, pinged, answered, said, connection, reason };
    """
    assert ask(modules, program, STREAM) == {
        "opened": [], "patient": 0, "pinged": ["ping", 5000], "answered": [],
        "said": ["ping", "ping", "close"],
        "connection": "reconnecting", "reason": "no answer in 5 s",
    }  # fmt: skip


def test_what_is_said_of_a_connection_ends_with_it(modules):
    program = """
        hear("message", { message: { type: "gap", kind: "frame", from_t: 3, to_t: 9 } });
        for (const reason of ["version 8", "version 9"]) hear("unreadable", { reason });
        const before = status.get();
        hear("closed", { code: 1006, reason: "" });
        const [again] = timers;
        again.work();
        await answer(2, health("a"));
        const opening = times();
        hear("open");
        const { gaps, unreadable, connection } = status.get();
        return [before.gaps.length, before.unreadable, opening, gaps, unreadable, connection, told];
    """
    assert ask(modules, program, STREAM) == [
        1, {"count": 2, "reason": "version 9"}, [15_000], [], None, "open",
        ["open", ["gap", "a", 3], "open"],
    ]  # fmt: skip


def test_the_pace_is_that_of_late(modules):
    program = """
        frame(100);
        const paces = [];
        for (const [at, t] of [[1000, 150], [2000, 300], [3000, 310], [4000, 500]]) {
            clock = at;
            frame(t);
            paces.push(status.get().pace);
        }
        return paces;
    """
    assert ask(modules, program, STREAM) == [None, 100, 100, 100]


def test_why_a_request_failed_is_always_said(modules):
    program = """
        const { Server } = await import("/viewer/data/server.js");
        const fetched = window.fetch;
        const found = [];
        for (const body of ['{"error":"no run"}', "{}", "null", "[]", "a proxy's page"]) {
            window.fetch = async () => new Response(body, { status: 502, statusText: "Bad" });
            await new Server(new URL("/", location.href)).json("runs").catch(
                ({ message, status }) => found.push([message, status]));
        }
        window.fetch = fetched;
        return found;
    """
    assert ask(modules, program) == [["no run", 502], *[["502 Bad", 502]] * 4]


def test_a_request_that_is_given_up_ends(modules):
    program = """
        const { Server } = await import("/viewer/data/server.js");
        const fetched = window.fetch;
        const signals = [];
        window.fetch = async (url, { signal }) => {
            signals.push(signal);
            return new Response("1");
        };
        const abort = new AbortController();
        const own = new Server(new URL("/", location.href));
        await own.json("runs", {}, abort.signal);
        await own.json("runs");
        window.fetch = fetched;
        abort.abort();
        return signals.map(({ aborted }) => aborted);
    """
    assert ask(modules, program) == [True, False]


def test_a_loop_stays_within_its_run(modules):
    program = """
        const { COMMANDS } = await import("/viewer/people/commands.js");
        const { Observable } = await import("/viewer/state/observable.js");
        const told = [];
        const app = {
            cursor: new Observable({ run: "a", t: 60, loop: null }),
            span: new Observable({ from: -99.5, to: 5000 }),
            recording: new Observable({ runs: [{ run: "a", first_t: 20, last_t: 900 }] }),
            status: new Observable({ serverT: null }),
            series: { length: 0 },
            director: { setLoop: (loop) => told.push(loop) },
        };
        const { run } = COMMANDS.find(({ words }) => words === "keyLoop");
        run(app);
        app.span.set({ from: 40.5, to: 80.5 });
        run(app);
        app.span.set({ from: 950, to: 980 });
        run(app);
        app.cursor.set({ loop: { from: 1, to: 2 } });
        run(app);
        return told;
    """
    assert ask(modules, program) == [{"from": 20, "to": 900}, {"from": 41, "to": 80}, None, None]
