"""Measures of the graph in the charts: what is asked of the camera, when, and what it comes to."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.browser

quick = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None
)

SOURCE = """
    const { RequestFailed } = await import("/viewer/data/server.js");
    const { MeasureSource } = await import("/viewer/time/measures-source.js");
    const real = window.setTimeout.bind(window);
    let clock = 0;
    let timers = [];
    performance.now = () => clock;
    window.setTimeout = (work, ms) => {
        const timer = { work, at: clock + ms };
        timers.push(timer);
        return timer;
    };
    window.clearTimeout = (timer) => { timers = timers.filter((other) => other !== timer); };
    const settle = async () => {  // what is answered, and what is drawn then
        for (let n = 0; n < 2; n++) await new Promise((resolve) => real(resolve, 0));
    };
    const pass = async (ms) => {
        const end = clock + ms;
        for (;;) {
            await settle();
            const next = timers.toSorted((one, other) => one.at - other.at)[0];
            if (!next || next.at > end) break;
            clock = Math.max(clock, next.at);
            timers = timers.filter((timer) => timer !== next);
            next.work();
        }
        clock = end;
    };

    const run = {
        run: "a", current: false, firstFrame: 0, lastFrame: 8_000, stride: 10, tickRate: 100,
        isRecorded: true,
    };
    const camera = { asked: [], open: 0, most: 0, hold: null, fail: null, recorded: 8_000 };
    const server = {
        async *lines(path, query, signal) {
            camera.asked.push(query);
            camera.most = Math.max(camera.most, ++camera.open);
            const left = new Promise((_, refuse) => signal.addEventListener("abort", refuse));
            try {
                await Promise.race([camera.hold, left]);
                if (camera.fail) throw camera.fail;
                const { from_t, to_t, every, edges, measure } = query;
                const first = Math.ceil(from_t / 10) * 10;
                for (let t = first; t <= Math.min(to_t, camera.recorded); t += 10 * every) {
                    const line = { t };
                    for (const graph of edges.split(",")) {
                        for (const name of measure.split(",")) {
                            line[`${graph}_${name}`] = t % 280 ? t / 10_000 : null;
                        }
                    }
                    yield line;
                }
            } finally {
                camera.open -= 1;
            }
        },
    };
    const status = { recordingOff: null };
    const app = {
        server,
        recording: { get: () => ({ runs: [run] }) },
        status: { get: () => status },
        text: { t: (key, { reason = "" } = {}) => `${key} ${reason}`.trim() },
    };
    let shown = [];
    const draw = () => source.look(...shown);
    const source = new MeasureSource(app, () => real(draw, 0));
    const look = (from, to, keys = ["match_density"]) => {
        shown = [{ run: "a", from, to, points: 300 }, keys];
        draw();
    };
    const spans = () => camera.asked.splice(0).map(
        ({ from_t, to_t, every }) => [from_t, to_t, every]);
    const course = () => source.courseOf("match_density");
    const note = () => source.noteOf("match_density", course());
    const ticks = (key = "match_density") => [...(source.courseOf(key)?.t ?? [])];
"""


@pytest.fixture
def ask(modules):
    """Run a program with a source of measures, a clock and a camera of its own."""
    return lambda program: modules.evaluate(f"async () => {{ {SOURCE} {program} }}")


@quick
@given(frames=st.integers(1, 10**7), width=st.integers(2, 2_000))
def test_there_is_room_for_all_points(modules, frames, width):
    every = modules.evaluate(
        """async ([frames, width]) => {
            const { everyFor } = await import("/viewer/time/measures-request.js");
            return everyFor(frames, width);
        }""",
        [frames, width],
    )
    most = min(240, max(2, width / 3))
    assert frames / every <= most
    assert every == 1 or frames / (every / 2) > most
    assert math.log2(every).is_integer()


def test_a_span_is_asked_for_once_and_what_comes_into_view_when_it_does(ask):
    asked = ask("""
        const found = [];
        const seen = async (from, to) => {
            look(from, to);
            await pass(5_000);
            found.push(spans());
        };
        await seen(1_000, 3_000);  // every second frame: pieces of 640 ticks
        await seen(1_200, 3_100);  // of pieces that are here
        await seen(2_000, 4_000);
        await seen(1_000, 3_000);
        await seen(1_000, 5_000);  // as many points, farther apart
        await seen(1_000, 3_000);
        await seen(7_000, 9_000);  // to the end of the run
        await seen(7_000, 9_000);
        return found;
    """)
    assert asked == [
        [[640, 3_199, 2]], [], [[3_200, 4_479, 2]], [],
        [[0, 5_119, 4]], [],
        [[6_400, 8_000, 2]], [],
    ]  # fmt: skip


def test_a_measure_that_is_added_is_asked_for_alone(ask):
    found = ask("""
        look(0, 2_000, ["match_density", "both_modularity"]);
        await pass(5_000);
        look(0, 2_000, ["match_density", "match_modularity", "both_modularity"]);
        await pass(5_000);
        look(0, 2_000, ["match_density", "both_components"]);
        await pass(5_000);
        const asked = camera.asked.map(({ edges, measure }) => [edges, measure]);
        return [asked, ticks("both_components").length, ticks("match_modularity").length];
    """)
    # Each measure of each graph is in an answer: the one that was chosen next was here.
    asked = [["match,both", "density,modularity"], ["both", "components"]]
    assert found == [asked, 128, 128]  # whole pieces


def test_one_answer_is_waited_for_at_a_time_with_a_rest_behind_it(ask):
    found = ask("""
        let release;
        camera.hold = new Promise((resolve) => { release = resolve; });
        look(0, 2_000);
        await pass(200);
        const early = camera.asked.length;
        await pass(2_000);
        look(0, 2_000, ["match_density", "match_communities"]);
        await pass(5_000);
        const meanwhile = camera.asked.map(({ measure }) => measure);
        release();
        await pass(900);
        const resting = camera.asked.length;
        await pass(200);
        return [early, meanwhile, resting, camera.asked.map(({ measure }) => measure), camera.most];
    """)
    assert found == [0, ["density"], 1, ["density", "communities"], 1]


def test_what_is_no_longer_shown_is_given_up_and_what_came_of_it_stays(ask):
    found = ask("""
        camera.hold = new Promise(() => undefined);
        look(0, 2_000);
        await pass(1_000);
        const open = [camera.open];
        camera.hold = null;
        look(5_000, 7_000);
        await pass(5_000);
        open.push(camera.open, camera.most);
        camera.hold = new Promise(() => undefined);
        look(0, 2_000);
        await pass(5_000);
        open.push(camera.open);
        look(0, 2_000, []);
        await pass(5_000);
        open.push(camera.open);
        look(0, 2_000);
        await pass(5_000);
        source.dispose();
        await pass(5_000);
        open.push(camera.open, timers.length);
        return [open, spans().map(([from]) => from)];
    """)
    assert found == [[1, 0, 1, 1, 0, 0, 0], [0, 4_480, 0, 0]]


def test_what_is_recorded_meanwhile_is_asked_for_seldom(ask):
    found = ask("""
        const found = [];
        run.current = true;
        const grow = async (lastFrame, ms) => {
            run.lastFrame = lastFrame;
            look(lastFrame - 2_000, lastFrame);
            await pass(ms);
            found.push(spans());
        };
        await grow(8_000, 2_000);
        camera.recorded = 8_140;
        await grow(8_100, 5_000);
        await grow(8_200, 6_000);
        await grow(8_200, 5_000);  // the rest was not on the disk yet
        camera.recorded = 8_200;
        await grow(8_200, 6_000);
        await grow(8_200, 60_000);
        const all = ticks();
        const latest = () => source.latest(course(), 9_000);
        const here = [latest()];
        run.current = false;
        here.push(latest());
        const steps = new Set(all.slice(1).map((t, n) => t - all[n]));
        return [found, all.at(-1), [...steps], here];
    """)
    spans = [[[5_760, 8_000, 2]], [], [[8_020, 8_200, 2]], [], [[8_160, 8_200, 2]], []]
    assert found == [spans, 8_200, [20], [0.82, pytest.approx(math.nan, nan_ok=True)]]


@pytest.mark.parametrize(
    ("status", "words", "times"),
    [
        (503, "measuresBusy", [300, 5_300, 15_300, 35_300]),
        (501, "measuresMissing", [300]),
        (500, "measuresFailed too bad", [300, 5_300, 15_300, 35_300]),
    ],
)
def test_why_nothing_is_measured_is_said_and_it_is_tried_again(ask, status, words, times):
    found = ask(f"""
        camera.fail = new RequestFailed("too bad", {status});
        const at = [];
        const push = camera.asked.push.bind(camera.asked);
        camera.asked.push = (query) => {{ at.push(clock); push(query); }};
        look(0, 2_000);
        await pass(100);
        const notes = [note()];
        await pass(59_900);
        notes.push(note());
        camera.fail = null;
        await pass(300_000);
        notes.push(note());
        return [at.slice(0, -1), notes, camera.open];
    """)
    said = words if " " in words else f"{words} too bad"
    assert found == [times, ["measuresLoading", said, ""], 0]


def test_where_nothing_is_recorded_nothing_is_asked(ask):
    found = ask("""
        const notes = [];
        const told = async (...span) => {
            look(...span);
            await pass(20_000);
            notes.push(note());
        };
        await told(9_000, 11_000);
        run.isRecorded = false;
        await told(0, 2_000);
        status.recordingOff = "off";
        await told(0, 2_000);
        run.isRecorded = true;
        run.firstFrame = null;
        await told(0, 2_000);
        return [notes, camera.asked];
    """)
    notes = ["measuresNothing", "measuresNothing", "measuresUnrecorded", "measuresNothing"]
    assert found == [notes, []]


def test_what_is_not_defined_is_a_hole(ask):
    found = ask("""
        const { stretches } = await import("/viewer/time/charts-draw.js");
        look(0, 1_000);  // every frame, 10 ticks apart
        await pass(2_000);
        const { t, last, gap } = course();
        const ends = stretches(t, last, gap).map((rows) => [t[rows[0]], t[rows.at(-1)]]);
        return [ends.slice(0, 3), [...last].slice(27, 29)];
    """)
    assert found[0] == [[10, 270], [290, 550], [570, 830]]
    assert found[1] == [0.027, pytest.approx(math.nan, nan_ok=True)]


def test_lines_are_read_as_they_come(modules):
    found = modules.evaluate("""async () => {
        const { objectsOf } = await import("/viewer/data/lines.js");
        const bytes = new TextEncoder().encode('{"a":"é"}\\n{"a":"中"}\\n');
        const read = async (bytes, size) => {
            let at = 0;
            const body = new ReadableStream({
                pull(control) {
                    if (at >= bytes.length) control.close();
                    else control.enqueue(bytes.slice(at, (at += size)));
                },
            });
            const found = [];
            try {
                for await (const { a } of objectsOf(body, () => undefined)) found.push(a);
            } catch (error) {
                found.push(error.message);
            }
            return found.join(" ");
        };
        const found = new Set();
        for (let size = 1; size <= bytes.length; size++) found.add(await read(bytes, size));
        return [[...found], await read(bytes.slice(0, -1), 7)];
    }""")
    assert found == [["é 中"], "é the answer ends within a line"]
