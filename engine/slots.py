"""Agent ids to dense slots: the row of every per-agent buffer.

Ids are sparse and agents come and go; buffers want rows 0, 1, 2, … An agent keeps its slot while
any tick of the window has seen it. A slot is handed on only after that, so that within a window
a slot means one agent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from marketcam.engine.edges import NodeRows
from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AgentSlots", "find"]

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


_Known: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.int32]]"
"""Agents' ids and their slots."""


class AgentSlots:
    """The slots of the agents in the window, at most `most` of them.

    Attributes:
        most: agents a window may hold; the caller sees to it that no tick passes that.
        known: the ids of the last tick that was not known, int64[N], and their slots, int32[N].
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._table = _Table.empty(min(_SMALLEST, most))
        self._of_slot = np.full(self.capacity, -1, dtype=np.int32)
        self.clear()

    @property
    def table(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
        """Keys, slots by place, and the tick each slot was last seen, for kernels."""
        return self._table.keys, self._table.slot_at, self._table.last_seen

    @property
    def ids(self) -> NDArray[np.int64]:
        """The agents that hold the slots, or held them last: int64[capacity]."""
        return self._table.agent_of

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
        self._of_slot.fill(-1)
        self.known = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
        self._listed: tuple[_Known, NodeRows, NDArray[np.int64]] | None = None

    def know(self, ids: NDArray[np.int64], pairs: NDArray[np.int64], t: int, t0: int) -> None:
        """Give slots to the agents of tick `t` and of its matches, int64[M, 2]; none to the pool.

        From then on `ids` are the `known` ones. `t0` is the window's first tick: slots not seen
        since may be handed on. Cost: O(N + M).
        """
        slots = np.empty(ids.size, dtype=np.int32)
        self._assign_all(ids, t, t0, slots)
        self._assign_all(pairs.ravel(), t, t0, np.empty(pairs.size, dtype=np.int32))
        self.known = ids.copy(), slots

    def seen_since(self, t0: int) -> NDArray[np.int64]:
        """Return the ids of the agents seen at `t0` or later."""
        table, used = self._table, self.used
        return table.agent_of[:used][table.last_seen[:used] >= t0]

    def nodes(self, t0: int) -> tuple[NodeRows, NDArray[np.int64]]:
        """Return the rows of the agents seen at `t0` or later, by ascending id, and their ids.

        The rows are valid until the next call. Cost: O(used), and nothing to speak of while the
        same agents, and no others, are seen at every tick.
        """
        if self._listed is None or self._listed[0] is not self.known or self._some_are_absent:
            self._listed = self.known, *self._list(t0)
        _, rows, ids = self._listed
        return rows, ids.copy()

    @property
    def _some_are_absent(self) -> bool:
        return self.known[0].size < self.used

    def _list(self, t0: int) -> tuple[NodeRows, NDArray[np.int64]]:
        table, of_slot, used = self._table, self._of_slot, self.used
        slots, ids = np.empty((2, used), dtype=np.int64)
        n, ordered = list_seen(table.last_seen[:used], table.agent_of, t0, of_slot, (slots, ids))
        slots, ids = slots[:n], ids[:n]
        if not ordered:
            order = ids.argsort()
            slots, ids = slots[order], ids[order]
            of_slot[slots] = np.arange(n, dtype=np.int32)
        return NodeRows(of_slot, n, ordered), ids

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
            self._of_slot = np.full(table.agent_of.size, -1, dtype=np.int32)
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
def list_seen(
    last_seen: NDArray[np.int64],
    agent_of: NDArray[np.int64],
    t0: int,
    rows: NDArray[np.int32],
    seen: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> tuple[int, bool]:
    """List the slots seen since `t0` and their ids; return how many, and whether ids ascend.

    Writes to rows[capacity] where each slot stands in the list, -1 for those not in it.
    """
    slots, ids = seen
    n = 0
    ascending = True
    for slot in range(last_seen.size):
        rows[slot] = -1
        if last_seen[slot] >= t0:
            slots[n] = slot
            ids[n] = agent_of[slot]
            ascending = ascending and (n == 0 or ids[n] > ids[n - 1])
            rows[slot] = n
            n += 1
    return n, ascending


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
