// What the page's views of time are given in the tests: the real state and series, a camera that
// answers from a formula, and a director that notes what was asked of it.

import { Moments } from "/viewer/data/moments.js";
import { Series } from "/viewer/data/series.js";
import { Text } from "/viewer/people/text.js";
import { Observable } from "/viewer/state/observable.js";
import { initialSettings, SERIES } from "/viewer/state/settings.js";

export const STRIDE = 5;

/** Values of all series at a tick. */
export function metric(t) {
  const values = { t };
  for (const [n, key] of SERIES.entries()) {
    values[key] = 1 + n + 0.3 * Math.sin(t / 700 + n) + 0.05 * Math.sin(t * 12.9898 + n);
  }
  return { ...values, N: 1000 + (t % 7), matches_n: 20 + (t % 5) };
}

export function frame(t) {
  return { t, window: { W: 20, stride: STRIDE }, nodes: {}, edges: {}, events: { bursts: [], shocks: [] } };
}

/** A run as the page knows it. */
export function run(name, first_t, last_t, more = {}) {
  return {
    run: name,
    started_at: `2026-03-0${1 + (name.charCodeAt(0) % 9)}T10:00:00Z`,
    ended_at: "2026-03-11T10:00:00Z",
    current: false,
    first_t,
    last_t,
    firstFrame: Math.ceil(first_t / STRIDE) * STRIDE,
    lastFrame: Math.floor(last_t / STRIDE) * STRIDE,
    stride: STRIDE,
    W: 20,
    tickRate: 100,
    edgeCap: 2000,
    isRecorded: true,
    holes: [],
    ...more,
  };
}

/** Answers `/overview/metrics` from `metric`, or as it is told. */
class Camera {
  asked = [];
  fail = null;
  sampled = false;
  hold = null;

  async json(path, query) {
    this.asked.push({ path, ...query });
    await this.hold;
    if (this.fail) throw new Error(this.fail);
    const { from_t, to_t, points } = query;
    const step = Math.max(1, Math.ceil((to_t - from_t + 1) / points));
    const t = [];
    const line = () => ({ min: [], max: [], last: [] });
    const series = Object.fromEntries(SERIES.map((key) => [key, line()]));
    for (let begin = from_t; begin <= to_t; begin += step) {
      t.push(begin);
      const values = metric(begin);
      for (const key of SERIES) {
        series[key].min.push(values[key] - 0.05);
        series[key].max.push(values[key] + 0.05);
        series[key].last.push(values[key]);
      }
    }
    return { t, series, sampled: this.sampled };
  }
}

/** A director that moves the cursor at once. */
function director(app, told) {
  const note = (name) => (...values) => told.push([name, ...values]);
  const commands = Object.fromEntries(
    ["goLive", "play", "pause", "toggle", "seek", "step", "setSpeed", "setLoop"].map((name) => [name, note(name)]),
  );
  return {
    ...commands,
    goLive() {
      commands.goLive();
      app.cursor.set({ mode: "live", playing: true, loop: null, t: app.status.get().serverT });
    },
    seek(name, t) {
      commands.seek(name, t);
      app.cursor.set({ mode: "recorded", run: name, t: Math.floor(t / STRIDE) * STRIDE, playing: false });
    },
    pause() {
      commands.pause();
      app.cursor.set({ mode: "recorded", playing: false });
    },
    setLoop(loop) {
      commands.setLoop(loop);
      app.cursor.set({ loop });
    },
  };
}

/** Make an app whose current run "c" is at tick `t`, of which `held` ticks came live. */
export function makeApp({ t = 20_000, held = 5_000, holes = [], language = "en" } = {}) {
  const settings = new Observable(initialSettings(language));
  const told = [];
  const server = new Camera();
  const app = {
    settings,
    cursor: new Observable({ mode: "live", run: "c", t, playing: true, speed: 1, loop: null, seeking: false }),
    moment: new Observable(null),
    filtered: new Observable(null),
    span: new Observable({ from: t - 3_000, to: t, follow: true }),
    recording: new Observable({
      runs: [run("a", 0, 30_000, { holes }), run("b", 0, 60, {}), run("c", 0, t, { current: true, ended_at: null })],
      events: new Map(),
      loaded: true,
      error: null,
    }),
    status: new Observable({ serverT: t, replayError: null }),
    hovered: new Observable({ agent: null, t: null }),
    moments: new Moments(),
    series: new Series(server),
    server,
    text: new Text(settings),
    told,
  };
  app.director = director(app, told);
  const metrics = [];
  for (let tick = t - held + 1; tick <= t; tick++) metrics.push(metric(tick));
  app.series.add("c", metrics);
  return app;
}

/** What comes live goes on by so many ticks. */
export function goOn(app, ticks) {
  const { serverT } = app.status.get();
  const t = serverT + ticks;
  app.series.add("c", Array.from({ length: ticks }, (_, n) => metric(serverT + 1 + n)));
  app.status.set({ serverT: t });
  app.moments.add("c", frame(t));
  const { runs } = app.recording.get();
  app.recording.set({ runs: runs.map((known) => (known.current ? { ...known, last_t: t, lastFrame: t } : known)) });
  if (app.cursor.get().mode === "live") app.cursor.set({ t });
}
