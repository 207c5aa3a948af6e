// What the director is given in the tests: the real state and frames, a recording that answers when
// it is told to, and a clock that is moved by hand.

import { initialStatus } from "/viewer/data/live.js";
import { Moments } from "/viewer/data/moments.js";
import { Observable } from "/viewer/state/observable.js";
import { initialCursor, TimeDirector } from "/viewer/time/director.js";

export const STRIDE = 10;

/** A clock that stands until it is moved. */
export class Clock {
  time = 0;
  last = 0;
  waiting = new Map();

  now = () => this.time;

  setTimeout = (work, ms) => {
    this.last += 1;
    this.waiting.set(this.last, { at: this.time + ms, work });
    return this.last;
  };

  clearTimeout = (timer) => this.waiting.delete(timer);

  /** Move on, and do what is due meanwhile; `late`: all of it at the end, as in a hidden tab. */
  move(ms, late = false) {
    const end = this.time + ms;
    if (late) this.time = end;
    for (;;) {
      const [timer, next] = [...this.waiting].sort((a, b) => a[1].at - b[1].at)[0] ?? [];
      if (!next || next.at > end) break;
      this.waiting.delete(timer);
      this.time = Math.max(this.time, next.at);
      next.work();
    }
    this.time = end;
  }
}

/** Does what data/replay.js promises: gives what was asked for last, and that only. */
export class FakeReplay {
  wanted = null;
  said = [];

  show(run, t) {
    this.said.push(["show", t]);
    this.wanted = { is: "one", run, t };
  }

  play(run, t, speed) {
    this.said.push(["play", t, speed]);
    this.wanted = { is: "stream", run, t };
  }

  pause() {
    if (this.wanted?.is === "stream") this.wanted = null;
  }

  forget() {
    if (this.wanted?.is === "one") this.wanted = null;
  }

  setSpeed(speed) {
    this.said.push(["speed", speed]);
  }

  close() {
    this.wanted = null;
  }
}

/** A run of the recording: the ticks of its frames, and what the page is told of its holes. */
export function run(name, ticks, more = {}) {
  const [firstFrame, lastFrame] = [ticks[0] ?? null, ticks.at(-1) ?? null];
  const known = { run: name, first_t: 0, last_t: lastFrame ?? 500, firstFrame, lastFrame };
  return { ...known, stride: STRIDE, tickRate: 100, current: false, holes: [], ...more, ticks };
}

function frame(t) {
  return { t, window: { stride: STRIDE }, nodes: {}, edges: {} };
}

/** The director, and the world around it. */
export class Rig {
  constructor(runs) {
    this.runs = new Map(runs.map((each) => [each.run, { ...each, ticks: [...each.ticks] }]));
    this.state = {
      cursor: new Observable(initialCursor()),
      moment: new Observable(null),
      recording: new Observable({ runs, events: new Map(), loaded: true, error: null }),
      status: new Observable(initialStatus()),
    };
    this.moments = new Moments();
    this.replay = new FakeReplay();
    this.clock = new Clock();
    this.words = (key) => key;
    this.director = new TimeDirector({ ...this.state, ...this, timers: this.clock });
  }

  /** What the user, the camera and the clock do, by name. */
  acts = {
    seek: (name, t) => this.director.seek(name, t),
    step: (frames) => this.director.step(frames),
    play: () => this.director.play(),
    pause: () => this.director.pause(),
    toggle: () => this.director.toggle(),
    goLive: () => this.director.goLive(),
    speed: (speed) => this.director.setSpeed(speed),
    loop: (loop) => this.director.setLoop(loop),
    live: (name, t) => this.director.takeLive(name, frame(t)),
    record: (name, t) => this.runs.get(name).ticks.push(t),
    rate: (name, rate) => this.director.takeRate(name, rate),
    move: (ms, late) => this.clock.move(ms, late),
    answer: () => this.#answer(),
    fail: () => this.#fail(),
    settle: () => this.#settle(),
  };

  /** Do something; return how it stands then. */
  do([name, ...values]) {
    this.acts[name](...values);
    const { loop, mode, playing, run: cursorRun, seeking, t } = this.state.cursor.get();
    const moment = this.state.moment.get();
    return {
      mode, playing, seeking, loop, run: cursorRun, t,
      shown: moment && [moment.run, moment.t],
      error: this.state.status.get().replayError,
      wanted: this.replay.wanted?.is ?? null,
      timers: this.clock.waiting.size,
      asks: this.replay.said.length,
    };
  }

  /** The recording says the next that it has of what is wanted, if anything. */
  #answer() {
    const { wanted } = this.replay;
    if (!wanted) return;
    const about = this.runs.get(wanted.run);
    const t = about?.ticks.find((tick) => tick >= wanted.t);
    if (t !== undefined) {
      this.replay.wanted = wanted.is === "one" ? null : { ...wanted, t: t + 1 };
      this.director.takeRecorded(wanted.run, frame(t));
    } else if (!about?.current) {
      this.replay.wanted = null;
      this.director.takeEnd(wanted.run);
    }
  }

  #fail() {
    if (!this.replay.wanted) return;
    this.replay.wanted = null;
    this.director.takeError("broken");
  }

  /** All that is asked is answered, as far as it ever is. */
  #settle() {
    for (let times = 0; times < 200 && this.state.cursor.get().seeking; times++) {
      this.#answer();
      this.clock.move(100);
    }
  }
}

/** Do one thing after another; return how it stood after each. */
export function play(runs, acts) {
  const rig = new Rig(runs.map(([name, ticks, more]) => run(name, ticks, more)));
  return { stood: acts.map((act) => rig.do(act)), said: rig.replay.said };
}
