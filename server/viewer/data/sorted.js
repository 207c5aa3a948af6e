// @ts-check
/** Searching in what ascends. */

/**
 * Return the first place at which a condition holds that then holds for all that follow; `length`
 * if there is none.
 * @param {number} length
 * @param {(place: number) => boolean} holds
 * @param {number} [begin] no place before it is looked at
 * @returns {number}
 */
export function firstPlace(length, holds, begin = 0) {
  let low = begin;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Return the place of the first value at or after `wanted`, `values.length` if there is none.
 * @param {ArrayLike<number>} values ascending
 * @param {number} wanted
 * @param {number} [begin] no place before it is looked at
 * @returns {number}
 */
export function firstAtOrAfter(values, wanted, begin = 0) {
  return firstPlace(values.length, (place) => values[place] >= wanted, begin);
}
