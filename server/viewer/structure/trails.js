// @ts-check
/** The ways of selected agents over the last frames, by the features on the axes. */

import { figureOf, rowOf } from "../data/figures.js";

/** @typedef {import("../types.js").Moment} Moment */
/** @typedef {import("../types.js").Feature} Feature */

const MOST_AGENTS = 12;
const MOST_FRAMES = 60;

/**
 * The way of an agent: values by frame, the oldest first; NaN where the way is broken, because the
 * agent was not there, a value is unknown, or frames are missing.
 * @typedef {object} Trail
 * @property {number} agent
 * @property {number[]} x
 * @property {number[]} y
 */

/**
 * Return the trails of the agents selected last, up to the frame before the moment.
 *
 * Cost: a search by id in each held frame for each agent.
 *
 * @param {import("../data/moments.js").Moments} moments
 * @param {Moment} moment
 * @param {number[]} agents
 * @param {{x: Feature, y: Feature}} features
 * @returns {Trail[]}
 */
export function trailsOf(moments, { run, t }, agents, features) {
  if (!agents.length) return [];
  const frames = moments.before(run, t - 1, MOST_FRAMES);
  return agents.slice(-MOST_AGENTS).map((agent) => {
    const trail = { agent, x: /** @type {number[]} */ ([]), y: /** @type {number[]} */ ([]) };
    for (const [k, frame] of frames.entries()) {
      const next = frames[k + 1]?.t ?? t;
      append(trail, frame, features);
      if (next - frame.t > frame.window.stride) breakOff(trail);
    }
    return trail;
  });
}

/** @param {Trail} trail @param {import("../types.js").Frame} frame @param {{x: Feature, y: Feature}} features */
function append(trail, frame, features) {
  const row = rowOf(frame, trail.agent);
  if (row < 0) {
    breakOff(trail);
    return;
  }
  trail.x.push(figureOf(frame, features.x, row));
  trail.y.push(figureOf(frame, features.y, row));
}

/** @param {Trail} trail */
function breakOff(trail) {
  trail.x.push(Number.NaN);
  trail.y.push(Number.NaN);
}
