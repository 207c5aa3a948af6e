"""A tick into the buffers, by one kernel call: all there is to do until its block is full."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from marketcam.engine.checks import FINE, first_fault
from marketcam.engine.events import log_ratio
from marketcam.engine.jit import kernel
from marketcam.engine.pair_counts import note_pairs
from marketcam.engine.slots import find

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from marketcam.engine.tick import Columns

__all__ = ["take_tick"]

_NO_SLOT: Final = -1


@kernel
def take_tick(  # noqa: PLR0911, PLR0913, PLR0917 - one call a tick
    t: int,
    mid: float,
    mid_before: float,
    row: int,
    columns: Columns,
    known: tuple[NDArray[np.int64], NDArray[np.int32], int],
    table: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]],
    block: tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64]],
    mids: tuple[NDArray[np.float64], NDArray[np.float64], float],
    noted: tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    matches_of: NDArray[np.int32],
    events: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> bool:
    """Take in a tick of known agents; return False, and change nothing, if it is not one.

    It is not one if its values are not fine, if its agents are not just the known ones in their
    order, if a match names an agent without a slot, or if there is no room for its matches.

    Args:
        t: tick number.
        mid: the mid, carried over where the tick has none of its own; NaN if there was none yet.
        mid_before: the same of the tick before.
        row: the tick's row in the block.
        columns: the tick, as `ingest_arrays` takes it.
        known: ids and slots of the known agents, and how many slots are in use.
        table: keys, slots by place and last seen, of `AgentSlots`.
        block: price, side and experience, by row and slot.
        mids: mid and eps by row, and eps as a share of the mid.
        noted: int32[room, 2] for the slots of the matches, and ring, head and per tick of
            `PairCounts`.
        matches_of: int32[capacity], takes the matches by slot.
        events: matches and log returns by ``t % W``.
    """
    agent_id, experience, side, price, matches = columns
    ids, slots, used = known
    room, ring, head, per_tick = noted
    if agent_id.size != ids.size or matches.shape[0] > room.shape[0]:
        return False
    if experience.size != ids.size or side.size != ids.size or price.size != ids.size:
        return False
    if first_fault(agent_id, experience, side, price, matches, ids)[0] != FINE:
        return False
    for k in range(ids.size):
        if agent_id[k] != ids[k]:
            return False
    pairs = room[: matches.shape[0]]
    if not find_pairs(matches, table[0], table[1], pairs):
        return False
    if not note_pairs(pairs, t, ring, head, per_tick):
        return False
    if ids.size < used:
        mark_absent(block[0][row, :used], block[1][row, :used], block[2][row, :used])
    write_row((experience, side, price), slots, block, row)
    see(slots, pairs, t, table[2], matches_of)
    note_mid(mid, row, mids)
    note_events(t, matches.shape[0], (mid, mid_before), events)
    return True


@kernel
def find_pairs(
    matches: NDArray[np.int64],
    keys: NDArray[np.int64],
    slot_at: NDArray[np.int32],
    pairs: NDArray[np.int32],
) -> bool:
    """Write the slots of pairs of agents, -1 for the pool; return False if one has none."""
    for k in range(matches.shape[0]):
        for end in range(2):
            agent = matches[k, end]
            pairs[k, end] = _NO_SLOT
            if agent >= 0:
                at = find(agent, keys)
                if keys[at] != agent:
                    return False
                pairs[k, end] = slot_at[at]
    return True


@kernel
def mark_absent(
    price: NDArray[np.float64], side: NDArray[np.int8], experience: NDArray[np.float64]
) -> None:
    """Write what stands for an agent that a tick does not name."""
    price[:] = math.nan
    side[:] = 0
    experience[:] = math.nan


@kernel
def write_row(
    tick: tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64]],
    slots: NDArray[np.int32],
    block: tuple[NDArray[np.float64], NDArray[np.int8], NDArray[np.float64]],
    row: int,
) -> None:
    """Write a tick's experiences, sides and prices to its row of the block."""
    experience, side, price = tick
    prices = block[0][row]
    sides = block[1][row]
    experiences = block[2][row]
    for k in range(slots.size):
        slot = slots[k]
        prices[slot] = price[k] if side[k] != 0 else math.nan
        sides[slot] = side[k]
        experiences[slot] = experience[k]


@kernel
def see(
    slots: NDArray[np.int32],
    pairs: NDArray[np.int32],
    t: int,
    last_seen: NDArray[np.int64],
    matches_of: NDArray[np.int32],
) -> None:
    """Note when the agents were seen, and count their matches.

    A match counts for both agents, a fill by the pool for one.
    """
    for k in range(slots.size):
        last_seen[slots[k]] = t
    for k in range(pairs.shape[0]):
        for end in range(2):
            slot = pairs[k, end]
            if slot >= 0:
                last_seen[slot] = t
                matches_of[slot] += 1


@kernel
def note_mid(
    mid: float, row: int, mids: tuple[NDArray[np.float64], NDArray[np.float64], float]
) -> None:
    """Write the mid of a row, and the distance within which two quotes are close."""
    mids[0][row] = mid
    mids[1][row] = mids[2] * mid if mid > 0.0 else math.nan


@kernel
def note_events(
    t: int,
    matches: int,
    mids: tuple[float, float],
    events: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> None:
    """Write a tick's number of matches and its log return, NaN where there is none.

    `mids` is the tick's and the one before.
    """
    counts, returns = events
    mid, before = mids
    place = t % counts.size
    counts[place] = matches
    returns[place] = log_ratio(mid, before) if mid > 0.0 and before > 0.0 else math.nan
