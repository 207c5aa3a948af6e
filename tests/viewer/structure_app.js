// What the structure is given in the tests: the real state and frames held, a director that does
// nothing, and markets made from a formula, the same every time.

import { Moments } from "/viewer/data/moments.js";
import { Text } from "/viewer/people/text.js";
import { Observable } from "/viewer/state/observable.js";
import { initialSettings } from "/viewer/state/settings.js";

const W = 300;
const STRIDE = 10;

/** A number from 0 to 1 that depends on two others and looks like chance. */
export function noise(one, other) {
  const mixed = Math.sin(one * 12.9898 + other * 78.233) * 43758.5453;
  return mixed - Math.floor(mixed);
}

/** A frame of a market whose agents wander. */
export function marketFrame(t, { agents = 200, edges = 60, first = 0 } = {}) {
  const ids = Float64Array.from({ length: agents }, (_, row) => first + 3 * row);
  const figures = (value) => Float64Array.from(ids, (id) => value(id));
  const wave = (id, pace) => Math.sin(t / (40 + 60 * noise(id, pace)) + 6 * noise(id, pace + 1));
  const counts = (value) => Uint16Array.from(ids, (id) => value(id));
  const buys = counts((id) => (id % 50 === 0 ? 0 : 20 + 15 * noise(id, 3)));
  const sells = counts((id) => (id % 50 === 0 ? 0 : 60 * noise(id, 4)));
  const matches = counts((id) => 40 * noise(id, 5) ** 3 + 3 + 3 * wave(id, 6));
  const ends = Array.from({ length: edges }, (_, k) => {
    const one = Math.floor(agents * noise(k, 7) * 0.9);
    return [one, Math.min(agents - 1, one + 1 + Math.floor(6 * noise(k, 8)))];
  });
  return {
    type: "frame",
    t,
    window: { W, t0: t - W + 1, t1: t, stride: STRIDE },
    nodes: {
      count: agents,
      agent_id: ids,
      buy_count: buys,
      sell_count: sells,
      none_count: counts((id) => W - buys[(id - first) / 3] - sells[(id - first) / 3]),
      match_count: matches,
      match_rate: Float64Array.from(matches, (count) => count / W),
      quote_price_mean: figures((id) =>
        id % 50 === 0 ? 0 : 50_000 + 300 * (noise(id, 1) + noise(id, 2) - 1) + 40 * wave(id, 9),
      ),
      quote_price_std: figures((id) => 80 + 30 * noise(id, 10)),
      quote_dist_to_mid_mean: figures((id) => 0.004 * noise(id, 11)),
      experience_start: figures((id) => (id % 7 === 0 ? Number.NaN : noise(id, 12))),
      experience_end: figures((id) => (id % 7 === 0 ? Number.NaN : noise(id, 12) + 0.01)),
      experience_delta: figures(() => 0.01),
      dominant_side: Uint8Array.from(ids, (id, row) =>
        buys[row] === 0 ? 0 : buys[row] > sells[row] ? 1 : 2,
      ),
      sides: ["none", "buy", "sell"],
    },
    edges: {
      count: edges,
      src: Uint32Array.from(ends, ([one]) => one),
      dst: Uint32Array.from(ends, ([, other]) => other),
      type: Uint8Array.from(ends, (_, k) => k % 2),
      w: Float64Array.from(ends, (_, k) => 0.01 + 0.9 * noise(k, 13) ** 3),
      types: ["match", "quote_proximity"],
    },
    events: { bursts: [], shocks: [] },
  };
}

/** All that a view is given. */
export function createApp(language = "en") {
  const settings = new Observable(initialSettings(language));
  const run = { run: "one", edgeCap: 60 };
  return {
    settings,
    cursor: new Observable({ mode: "live", run: "one", t: null, playing: true, speed: 1 }),
    moment: new Observable(null),
    filtered: new Observable(null),
    recording: new Observable({ runs: [run], events: new Map(), loaded: true, error: null }),
    hovered: new Observable({ agent: null, t: null }),
    status: new Observable({ replayError: null }),
    moments: new Moments(),
    text: new Text(settings),
  };
}

/** Show a frame, as the director does. */
export function show(app, frame, { run = "one", mode = "live", jump = false } = {}) {
  app.moments.add(run, frame);
  app.cursor.set({ t: frame.t });
  app.moment.set({ run, t: frame.t, frame, mode, jump });
}
