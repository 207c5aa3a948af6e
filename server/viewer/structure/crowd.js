// @ts-check
/**
 * The nodes on the screen, as the graphics card takes them: where each comes from and goes to, in
 * the unit square. Agents are followed by their id from one frame to the next.
 */

/** Of each node: from x, y, to x, y as float32; four bytes of colour, four of form. */
export const FLOATS = 6;
export const BYTES = 4 * FLOATS;
/** Where the bytes begin. Colour: red, green, blue, strength. */
export const COLOR = 16;
/** Form: opacity at the start, at the end, radius in sixteenths of a pixel, shape. */
export const FORM = 20;

/** @typedef {{floats: Float32Array, bytes: Uint8Array, ids: Float64Array, count: number}} Page */

/**
 * Where the nodes of a frame are to go.
 * @typedef {object} Targets
 * @property {Float64Array} ids ascending
 * @property {Float32Array} x by row, in the unit square; NaN where there is no place
 * @property {Float32Array} y
 * @property {Uint8Array} shown 1 where the node is to be seen
 */

/** Nodes in motion: first those of the frame, by row, then those that vanish. */
export class Crowd {
  constructor() {
    this.page = page(1024);
    this.spare = page(1024);
    /** Rows of the frame; what comes behind them up to `count` vanishes. */
    this.rows = 0;
  }

  /** Nodes in all, those that vanish among them. */
  get count() {
    return this.page.count;
  }

  /** Bytes for the graphics card. */
  get data() {
    return this.page.bytes.subarray(0, this.page.count * BYTES);
  }

  /**
   * Let the nodes go to other places from where they are now.
   *
   * Cost: a pass over the nodes, both old and new.
   *
   * @param {Targets} targets
   * @param {number} share of the way that has been gone, 0 to 1
   */
  retarget(targets, share) {
    const before = this.page;
    const rows = targets.ids.length;
    const next = withRoom(this.spare, rows + before.count);
    this.#place(targets, share, next, this.rows);
    next.count = rows + this.#vanishing(share, next, rows, targets.ids);
    this.spare = before;
    this.page = next;
    this.rows = rows;
  }

  /** Let the nodes be where they go, at once; those that vanish are gone. */
  settle() {
    const { floats, bytes } = this.page;
    this.page.count = this.rows;
    for (let row = 0; row < this.rows; row++) {
      const at = row * FLOATS;
      floats[at] = floats[at + 2];
      floats[at + 1] = floats[at + 3];
      bytes[row * BYTES + FORM] = bytes[row * BYTES + FORM + 1];
    }
  }

  /**
   * Change where nodes are now, as if they had been seen through another lens.
   * @param {(x: number, y: number) => [number, number]} map
   */
  remap(map) {
    const { floats, count } = this.page;
    for (let node = 0; node < count; node++) {
      const at = node * FLOATS;
      for (const place of [at, at + 2]) {
        [floats[place], floats[place + 1]] = map(floats[place], floats[place + 1]);
      }
    }
  }

  /** Whether a node is to be seen. @param {number} row */
  shows(row) {
    return this.page.bytes[row * BYTES + FORM + 1] > 0;
  }

  /** @param {number} row @param {number} share @returns {[number, number]} */
  placeOf(row, share) {
    const { floats } = this.page;
    const at = row * FLOATS;
    return [
      floats[at] + (floats[at + 2] - floats[at]) * share,
      floats[at + 1] + (floats[at + 3] - floats[at + 1]) * share,
    ];
  }

  /**
   * @param {Targets} targets
   * @param {number} share
   * @param {Page} next
   * @param {number} known rows of the page before
   */
  #place({ ids, x, y, shown }, share, next, known) {
    const before = this.page;
    let old = 0;
    for (let row = 0; row < ids.length; row++) {
      while (old < known && before.ids[old] < ids[row]) old++;
      const same = old < known && before.ids[old] === ids[row];
      const seen = same ? opacityOf(before, old, share) : 0;
      const at = row * FLOATS;
      if (seen > 0) current(before, old, share, next.floats, at);
      const placed = goTo(next.floats, at, x[row], y[row], seen > 0);
      next.ids[row] = ids[row];
      next.bytes[row * BYTES + FORM] = seen;
      next.bytes[row * BYTES + FORM + 1] = placed && shown[row] ? 255 : 0;
    }
  }

  /**
   * Append those that are seen now and are not in the frame; return how many.
   * @param {number} share
   * @param {Page} next
   * @param {number} rows
   * @param {Float64Array} ids
   */
  #vanishing(share, next, rows, ids) {
    const before = this.page;
    let row = 0;
    let added = 0;
    for (let old = 0; old < this.rows; old++) {
      while (row < rows && ids[row] < before.ids[old]) row++;
      const gone = row >= rows || ids[row] !== before.ids[old];
      const seen = gone ? opacityOf(before, old, share) : 0;
      if (seen > 0) vanish(before, old, next, rows + added++, share, seen);
    }
    return added;
  }
}

/**
 * @param {Page} before
 * @param {number} old
 * @param {Page} next
 * @param {number} row
 * @param {number} share
 * @param {number} seen
 */
function vanish(before, old, next, row, share, seen) {
  const at = row * FLOATS;
  current(before, old, share, next.floats, at);
  next.floats.copyWithin(at + 2, at, at + 2);
  next.ids[row] = before.ids[old];
  const look = before.bytes.subarray(old * BYTES + COLOR, old * BYTES + BYTES);
  next.bytes.set(look, row * BYTES + COLOR);
  next.bytes[row * BYTES + FORM] = seen;
  next.bytes[row * BYTES + FORM + 1] = 0;
}

/** @param {Page} from @param {number} row @param {number} share @param {Float32Array} into @param {number} at */
function current({ floats }, row, share, into, at) {
  const place = row * FLOATS;
  into[at] = floats[place] + (floats[place + 2] - floats[place]) * share;
  into[at + 1] = floats[place + 1] + (floats[place + 3] - floats[place + 1]) * share;
}

/**
 * Let a node go to a place. What was not seen before is there at once. Without a place it stays
 * where it is: only finite numbers go to the graphics card, some drivers never come back from others.
 * @param {Float32Array} floats
 * @param {number} at where the node's floats begin
 * @param {number} x
 * @param {number} y
 * @param {boolean} seen its way begins where it has been put already
 * @returns {boolean} there is a place
 */
function goTo(floats, at, x, y, seen) {
  const placed = Number.isFinite(x + y);
  if (!seen) {
    floats[at] = placed ? x : 0;
    floats[at + 1] = placed ? y : 0;
  }
  floats[at + 2] = placed ? x : floats[at];
  floats[at + 3] = placed ? y : floats[at + 1];
  return placed;
}

/** @param {Page} from @param {number} row @param {number} share */
function opacityOf({ bytes }, row, share) {
  const start = bytes[row * BYTES + FORM];
  const end = bytes[row * BYTES + FORM + 1];
  return Math.round(start + (end - start) * share);
}

/** @param {number} room @returns {Page} */
function page(room) {
  const floats = new Float32Array(room * FLOATS);
  return {
    floats,
    bytes: new Uint8Array(floats.buffer),
    ids: new Float64Array(room),
    count: 0,
  };
}

/** @param {Page} kept @param {number} room */
function withRoom(kept, room) {
  return kept.ids.length >= room ? kept : page(Math.ceil(room * 1.5));
}
