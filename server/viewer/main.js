// @ts-check
/** Puts the page together: what comes from the camera, the state, the views. */

import { createAgents } from "./agents/agents.js";
import { Comparison, initialCompared } from "./data/comparison.js";
import { initialStatus, Live } from "./data/live.js";
import { Moments } from "./data/moments.js";
import { initialRecording, RecordingList } from "./data/recording.js";
import { Replay } from "./data/replay.js";
import { Series } from "./data/series.js";
import { Server } from "./data/server.js";
import { Wires } from "./data/wires.js";
import { createKeys } from "./people/keys.js";
import { createStatus } from "./people/status.js";
import { Text } from "./people/text.js";
import { askForToken } from "./people/token.js";
import { createTools } from "./people/tools.js";
import { goTo, isPlace, keepAddress, readPlace } from "./state/address.js";
import { Observable } from "./state/observable.js";
import { initialSettings } from "./state/settings.js";
import { createControls } from "./structure/controls.js";
import { followFilters } from "./structure/filter.js";
import { createStructure } from "./structure/structure.js";
import { createCharts } from "./time/charts.js";
import { initialCursor, TimeDirector } from "./time/director.js";
import { createTime } from "./time/time.js";

/** @typedef {import("./types.js").App} App */

/** Ticks that charts show at first. */
const FIRST_SPAN = 3_000;

/** @param {string} id */
function region(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** @returns {"en" | "zh"} */
function preferredLanguage() {
  const known = navigator.languages.map((language) => language.slice(0, 2).toLowerCase());
  return known.find((language) => language === "zh" || language === "en") === "zh" ? "zh" : "en";
}

/**
 * Make the state, and connect it with the camera.
 * @param {import("./types.js").Settings} settings
 */
function createApp(settings) {
  const wires = new Wires();
  const server = new Server();
  const state = {
    settings: new Observable(settings),
    cursor: new Observable(initialCursor()),
    moment: new Observable(/** @type {import("./types.js").Moment | null} */ (null)),
    filtered: new Observable(/** @type {import("./types.js").Filtered | null} */ (null)),
    compared: new Observable(initialCompared()),
    span: new Observable({ from: 0, to: FIRST_SPAN, follow: true }),
    recording: new Observable(initialRecording()),
    status: new Observable(initialStatus()),
    hovered: new Observable(
      /** @type {{agent: number | null, t: number | null}} */ ({ agent: null, t: null }),
    ),
  };
  const moments = new Moments();
  const series = new Series(server);
  const list = new RecordingList(server, state.recording);
  const replay = new Replay({
    wires,
    server,
    status: state.status,
    listener: {
      onFrame: (run, frame) => director.takeRecorded(run, frame),
      onEnd: (run) => director.takeEnd(run),
      onError: (reason) => director.takeError(reason),
      onRate: (run, tickRate) => director.takeRate(run, tickRate),
    },
  });
  new Comparison(
    { ...state, moments },
    (listener) =>
      new Replay({
        name: "compare",
        wires,
        server,
        status: new Observable(initialStatus()), // what the page says is of the moment shown
        listener,
      }),
  );
  const text = new Text(state.settings);
  const words = text.t.bind(text);
  const director = new TimeDirector({ ...state, moments, replay, words });
  const live = new Live({
    wires,
    server,
    status: state.status,
    listener: {
      onFrame(run, frame) {
        list.takeFrame(run, frame);
        director.takeLive(run, frame);
      },
      onMetrics: (run, metrics) => series.add(run, metrics),
      onGap(run, gap) {
        list.takeGap(run, gap);
      },
      onHealth(health) {
        series.isRecorded = Boolean(health.recording);
        list.takeHealth(health);
      },
      onOpen: () => list.reopened(),
      async onTokenNeeded(wasWrong) {
        server.useToken(await askForToken(region("dialogs"), text, wasWrong));
        list.refresh();
      },
    },
  });
  /** @type {App} */
  const app = { ...state, director, moments, series, server, text };
  return { app, live, list };
}

/** @param {App} app */
function createViews(app) {
  followFilters(app);
  const { snapshot } = createStructure(region("structure"), app);
  createControls(region("controls"), app);
  createTime(region("time"), app);
  createCharts(region("charts"), app);
  createAgents(region("agents"), app);
  createStatus(region("status"), app);
  createTools(region("tools"), app, snapshot);
  createKeys(app);
  app.text.keep(document);
  app.text.follow(() => {
    document.documentElement.lang = app.text.language;
  });
}

/**
 * Show the moment of the link that the page was opened with, unless another was chosen meanwhile.
 * @param {App} app
 * @param {import("./state/address.js").Place} place
 */
function seekFirst({ cursor, director }, { moment }) {
  const { mode, t } = cursor.get();
  if (moment && mode === "recorded" && t === null) director.seek(moment.run, moment.t);
}

function start() {
  const atFirst = initialSettings(preferredLanguage());
  const place = readPlace(location.hash);
  const { app, live, list } = createApp({ ...atFirst, ...place.settings });
  createViews(app);
  keepAddress(app, atFirst);
  app.cursor.followFields(["run"], ({ run }) => {
    if (run !== null) list.wantEvents(run);
  });
  if (place.moment) app.director.pause(); // until it is known which frame the moment is of
  list.start().then(() => seekFirst(app, place));
  addEventListener("hashchange", () => {
    if (isPlace(location.hash)) goTo(app, atFirst, readPlace(location.hash)); // it was pasted
  });
  live.start();
}

start();
