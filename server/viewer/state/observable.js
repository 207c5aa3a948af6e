// @ts-check
/**
 * A value that can be followed. All state of the page is in a handful of these (types.js, `App`).
 */

/** @template T */
export class Observable {
  /** @param {T} value */
  constructor(value) {
    /** @type {T} */
    this.value = value;
    /** @type {Set<(value: T, before: T) => void>} */
    this.followers = new Set();
  }

  /** @returns {T} */
  get() {
    return this.value;
  }

  /**
   * Take another value, or some fields of one that is an object, and tell who follows. What is
   * equal already is told to nobody.
   * @param {Partial<T> | T} change
   */
  set(change) {
    const before = this.value;
    const next = /** @type {T} */ (
      isPlain(before) && isPlain(change) ? { ...before, ...change } : change
    );
    if (same(before, next)) return;
    this.value = next;
    tellAll(this.followers, next, before);
  }

  /**
   * Be told of the value, now and whenever it changes.
   * @param {(value: T, before: T) => void} follower
   * @returns {() => void} ends it
   */
  follow(follower) {
    this.followers.add(follower);
    follower(this.value, this.value);
    return () => this.followers.delete(follower);
  }

  /**
   * Be told when one of these fields changes, and now.
   * @param {(keyof T)[]} fields
   * @param {(value: T) => void} follower
   * @returns {() => void} ends it
   */
  followFields(fields, follower) {
    let known = /** @type {T | undefined} */ (undefined);
    return this.follow((value) => {
      if (known !== undefined && fields.every((field) => Object.is(known?.[field], value[field])))
        return;
      known = value;
      follower(value);
    });
  }
}

/**
 * Tell all who follow. One that throws is told of on the console, and keeps nothing from the others.
 * @template {unknown[]} Values
 * @param {Iterable<(...values: Values) => void>} followers
 * @param {Values} values
 */
export function tellAll(followers, ...values) {
  for (const follower of [...followers]) {
    try {
      follower(...values);
    } catch (error) {
      reportError(error);
    }
  }
}

/** @param {unknown} value */
function isPlain(value) {
  return (
    typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}

/**
 * @param {any} one
 * @param {any} other
 */
function same(one, other) {
  if (Object.is(one, other)) return true;
  if (!isPlain(one) || !isPlain(other)) return false;
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.is(one[name], other[name]))
  );
}
