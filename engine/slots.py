"""Agent ids to dense slots: the row of every per-agent buffer.

Ids are sparse and agents come and go; buffers want rows 0, 1, 2, … An agent keeps its slot while
any tick of the window has seen it. A slot is handed on only after that, so that within a window
a slot means one agent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AgentSlots", "SeenAgents"]

_EMPTY: Final = -1
_NEVER: Final = np.iinfo(np.int64).min
_FREE: Final = 0  # head[_FREE]: entries on the free stack
_USED: Final = 1  # head[_USED]: slots handed out at least once; those beyond are untouched
_SMALLEST: Final = 64


class _Table(NamedTuple):
    """Who holds which slot.

    Attributes:
        agent_of: int64[capacity], the agent that holds a slot, or held it last.
        last_seen: int64[capacity], the tick at which a slot's agent was last seen.
        keys: int64[places], open addressing by id, a power of two and more than twice capacity.
        slot_at: int32[places], the slot of the id that stands at a place.
        free: int32[capacity], a stack of slots that were left.
        head: int64[2], see `_FREE` and `_USED`.
    """

    agent_of: NDArray[np.int64]
    last_seen: NDArray[np.int64]
    keys: NDArray[np.int64]
    slot_at: NDArray[np.int32]
    free: NDArray[np.int32]
    head: NDArray[np.int64]

    @classmethod
    def empty(cls, capacity: int) -> _Table:
        places = 1 << (2 * capacity).bit_length()
        return cls(
            agent_of=np.zeros(capacity, dtype=np.int64),
            last_seen=np.full(capacity, _NEVER, dtype=np.int64),
            keys=np.full(places, _EMPTY, dtype=np.int64),
            slot_at=np.empty(places, dtype=np.int32),
            free=np.empty(capacity, dtype=np.int32),
            head=np.zeros(2, dtype=np.int64),
        )


class SeenAgents(NamedTuple):
    """Agents by ascending id: int64[n] slots and ids, and whether the slots ascend as well."""

    slots: NDArray[np.int64]
    ids: NDArray[np.int64]
    ordered: bool


class AgentSlots:
    """The slots of the agents in the window, at most `most` of them.

    Attributes:
        most: agents a window may hold; the caller sees to it that no tick passes that.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._table = _Table.empty(min(_SMALLEST, most))
        self._known = np.empty(0, dtype=np.int64)
        self._slots = np.empty(0, dtype=np.int32)
        self._pair_slots = np.empty((0, 2), dtype=np.int32)

    @property
    def capacity(self) -> int:
        """Slots there is room for; doubles when it no longer suffices."""
        return self._table.agent_of.size

    @property
    def used(self) -> int:
        """Slots below this number have been handed out at least once, those above never."""
        return int(self._table.head[_USED])

    def clear(self) -> None:
        """Forget all agents; the capacity stays."""
        self._table.keys.fill(_EMPTY)
        self._table.last_seen.fill(_NEVER)
        self._table.head.fill(0)
        self._known = self._known[:0]

    def assign(
        self, ids: NDArray[np.int64], pairs: NDArray[np.int64], t: int, t0: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the slots of int64[N] `ids` and of int64[M, 2] `pairs` of ids, seen at tick `t`.

        The results are int32 of the same shapes, -1 for the pool, and views that the next call
        overwrites. `t0` is the window's first tick: slots not seen since may be handed on.

        Cost: O(N + M), one comparison an agent while the ids stay the same from tick to tick.
        """
        slots, pair_slots = self._room(ids.size, len(pairs))
        if not assign_known(ids, self._known, slots, pairs, pair_slots, t, self._table):
            self._assign_all(ids, t, t0, slots)
            self._assign_all(pairs.ravel(), t, t0, pair_slots.ravel())
            self._known = ids.copy()
        return slots, pair_slots

    def _room(self, n: int, m: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        if n > len(self._slots):
            self._slots = np.empty(2 * n, dtype=np.int32)
            self._known = self._known[:0]
        if m > len(self._pair_slots):
            self._pair_slots = np.empty((2 * m, 2), dtype=np.int32)
        return self._slots[:n], self._pair_slots[:m]

    def seen_since(self, t0: int) -> SeenAgents:
        """Return the agents seen at `t0` or later, by ascending id."""
        slots = np.flatnonzero(self._table.last_seen[: self.used] >= t0)
        ids = self._table.agent_of[slots]
        if bool((ids[1:] > ids[:-1]).all()):
            return SeenAgents(slots, ids, ordered=True)
        order = ids.argsort()
        return SeenAgents(slots[order], ids[order], ordered=False)

    def _assign_all(
        self, ids: NDArray[np.int64], t: int, t0: int, slots: NDArray[np.int32]
    ) -> None:
        done = assign(ids, 0, t, self._table, slots)
        while done < ids.size:
            self._make_room(t0)
            done = assign(ids, done, t, self._table, slots)

    def _make_room(self, t0: int) -> None:
        """Free the slots of those who left the window; double where that frees few."""
        table, used = self._table, self.used
        departed = np.flatnonzero(table.last_seen[:used] < t0)
        if departed.size < self.capacity // 4 and self.capacity < self.most:
            table = _Table.empty(min(2 * self.capacity, self.most))
            table.agent_of[:used] = self._table.agent_of[:used]
            table.last_seen[:used] = self._table.last_seen[:used]
            table.head[_USED] = used
        table.free[: departed.size] = departed[::-1]
        table.head[_FREE] = departed.size
        table.keys.fill(_EMPTY)
        index_slots(np.flatnonzero(table.last_seen[:used] >= t0), table)
        self._table = table


@kernel
def hashed(agent: int) -> int:
    """Spread an id over 43 bits, by multiplication that stays below 2**63."""
    return ((agent ^ (agent >> 31)) & 0x7FFFFFFF) * 0x9E3779B1 >> 20


@kernel
def find(agent: int, keys: NDArray[np.int64]) -> int:
    """Return where `agent` stands in the open-addressing table `keys`, or would stand."""
    mask = keys.size - 1
    at = hashed(agent) & mask
    while keys[at] not in (agent, _EMPTY):
        at = (at + 1) & mask
    return at


@kernel
def assign_known(
    ids: NDArray[np.int64],
    known: NDArray[np.int64],
    slots: NDArray[np.int32],
    pairs: NDArray[np.int64],
    pair_slots: NDArray[np.int32],
    t: int,
    table: _Table,
) -> bool:
    """Assign without making slots, if `ids` are the `known` ones that `slots` were found for.

    Returns False where the ids are others, or a pair names an agent that has no slot.
    """
    if ids.size != known.size:
        return False
    for k in range(ids.size):
        if ids[k] != known[k]:
            return False
    for k in range(ids.size):
        table.last_seen[slots[k]] = t
    for k in range(pairs.shape[0]):
        for end in range(2):
            pair_slots[k, end] = -1
            if pairs[k, end] >= 0:
                at = find(pairs[k, end], table.keys)
                if table.keys[at] == _EMPTY:
                    return False
                pair_slots[k, end] = table.slot_at[at]
                table.last_seen[table.slot_at[at]] = t
    return True


@kernel
def assign(
    ids: NDArray[np.int64], start: int, t: int, table: _Table, out: NDArray[np.int32]
) -> int:
    """Find or make the slots of ids[start:], -1 for negative ids; return how far room sufficed."""
    for k in range(start, ids.size):
        agent = ids[k]
        if agent < 0:
            out[k] = -1
            continue
        at = find(agent, table.keys)
        if table.keys[at] == _EMPTY:
            if table.head[_FREE] > 0:
                table.head[_FREE] -= 1
                slot = np.int64(table.free[table.head[_FREE]])
            elif table.head[_USED] < table.agent_of.size:
                slot = table.head[_USED]
                table.head[_USED] += 1
            else:
                return k
            table.keys[at] = agent
            table.slot_at[at] = slot
            table.agent_of[slot] = agent
        found = table.slot_at[at]
        table.last_seen[found] = t
        out[k] = found
    return ids.size


@kernel
def index_slots(held: NDArray[np.int64], table: _Table) -> None:
    """Enter the `held` slots into a table without keys."""
    for slot in held:
        at = find(table.agent_of[slot], table.keys)
        table.keys[at] = table.agent_of[slot]
        table.slot_at[at] = slot
