"""Agent ids to dense slots: the row of every per-agent buffer.

Ids are sparse and agents come and go; buffers want rows 0, 1, 2, … An agent keeps its slot while
any tick of the window has seen it. A slot is handed on only after that, so that within a window
a slot means one agent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from marketcam.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AgentSlots"]

_EMPTY: Final = -1
_NEVER: Final = np.iinfo(np.int64).min
_FREE: Final = 0  # head[_FREE]: entries on the free stack
_USED: Final = 1  # head[_USED]: slots handed out at least once; those beyond are untouched
_SMALLEST: Final = 64


class AgentSlots:
    """The slots of the agents in the window.

    Attributes:
        agent_of: int64[capacity], the agent that holds a slot, or held it last.
        last_seen: int64[capacity], the tick at which a slot's agent was last seen.
    """

    def __init__(self) -> None:
        self._allocate(_SMALLEST)

    @property
    def capacity(self) -> int:
        """Slots there is room for; doubles when it no longer suffices."""
        return self.agent_of.size

    @property
    def used(self) -> int:
        """Slots below this number have been handed out at least once, those above never."""
        return int(self._head[_USED])

    def clear(self) -> None:
        """Forget all agents; the capacity stays."""
        self._keys.fill(_EMPTY)
        self.last_seen.fill(_NEVER)
        self._head.fill(0)
        self._known = self._known[:0]

    def assign(self, ids: NDArray[np.int64], t: int, t0: int) -> NDArray[np.int32]:
        """Return the slots of `ids`, seen at tick `t`, as int32 of the same length.

        The result is a view that the next call overwrites. `t0` is the window's first tick:
        slots not seen since may be handed on. Negative ids get slot -1.

        Cost: O(N), one comparison an agent while the ids stay the same from tick to tick.
        """
        if ids.size > self._slots.size:
            self._slots = np.empty(2 * ids.size, dtype=np.int32)
            self._known = self._known[:0]
        slots = self._slots[: ids.size]
        if not touch_if_same(ids, self._known, slots, t, self.last_seen):
            self._assign_all(ids, t, t0, slots)
            self._known = ids.copy()
        return slots

    def assign_pairs(self, pairs: NDArray[np.int64], t: int, t0: int) -> NDArray[np.int32]:
        """Return the slots of int64[M, 2] pairs of ids as int32[M, 2], -1 for negative ids."""
        slots = np.empty(pairs.shape, dtype=np.int32)
        self._assign_all(pairs.ravel(), t, t0, slots.ravel())
        return slots

    def seen_since(self, t0: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return slots and ids of the agents seen at `t0` or later, by ascending id."""
        slots = np.flatnonzero(self.last_seen[: self.used] >= t0)
        ids = self.agent_of[slots]
        if np.all(ids[1:] > ids[:-1]):
            return slots, ids
        order = ids.argsort()
        return slots[order], ids[order]

    def _assign_all(
        self, ids: NDArray[np.int64], t: int, t0: int, slots: NDArray[np.int32]
    ) -> None:
        done = 0
        while True:
            done = assign(
                ids, done, t, self._keys, self._slot_at, self.agent_of, self.last_seen,
                self._free, self._head, slots,
            )  # fmt: skip
            if done == ids.size:
                return
            self._make_room(t0)

    def _make_room(self, t0: int) -> None:
        """Free the slots of those who left the window; double where that frees few."""
        freed = self._free_departed(t0)
        if freed < self.capacity // 4:
            self._grow()

    def _free_departed(self, t0: int) -> int:
        departed = np.flatnonzero(self.last_seen[: self.used] < t0)
        self._free[: departed.size] = departed[::-1]
        self._head[_FREE] = departed.size
        self._index(np.flatnonzero(self.last_seen[: self.used] >= t0).astype(np.int32))
        return departed.size

    def _grow(self) -> None:
        old_agents, old_seen, old_free, head = self.agent_of, self.last_seen, self._free, self._head
        slots, known = self._slots, self._known
        self._allocate(2 * old_agents.size)
        self.agent_of[: old_agents.size] = old_agents
        self.last_seen[: old_seen.size] = old_seen
        self._free[: old_free.size] = old_free
        self._head, self._slots, self._known = head, slots, known
        held = np.ones(self.used, dtype=np.bool_)
        held[self._free[: head[_FREE]]] = False
        self._index(np.flatnonzero(held).astype(np.int32))

    def _index(self, held: NDArray[np.int32]) -> None:
        self._keys.fill(_EMPTY)
        index_slots(held, self.agent_of, self._keys, self._slot_at)

    def _allocate(self, capacity: int) -> None:
        self.agent_of = np.zeros(capacity, dtype=np.int64)
        self.last_seen = np.full(capacity, _NEVER, dtype=np.int64)
        self._free = np.empty(capacity, dtype=np.int32)
        self._head = np.zeros(2, dtype=np.int64)
        self._keys = np.full(4 * capacity, _EMPTY, dtype=np.int64)
        self._slot_at = np.empty(4 * capacity, dtype=np.int32)
        self._slots = np.empty(capacity, dtype=np.int32)
        self._known = np.empty(0, dtype=np.int64)


@kernel
def touch_if_same(ids, known, slots, t, last_seen):  # type: ignore[no-untyped-def]
    """Mark `slots` as seen at `t` if `ids` are the `known` ones they were found for."""
    if ids.size != known.size:
        return False
    for k in range(ids.size):
        if ids[k] != known[k]:
            return False
    for k in range(ids.size):
        last_seen[slots[k]] = t
    return True


@kernel
def hashed(agent):  # type: ignore[no-untyped-def]
    """Spread an id over 43 bits, by multiplication that stays below 2**63."""
    return ((agent ^ (agent >> 31)) & 0x7FFFFFFF) * 0x9E3779B1 >> 20


@kernel
def find(agent, keys):  # type: ignore[no-untyped-def]
    """Return where `agent` stands in the open-addressing table `keys`, or would stand."""
    mask = keys.size - 1
    at = hashed(agent) & mask
    while keys[at] not in (agent, _EMPTY):
        at = (at + 1) & mask
    return at


@kernel
def assign(ids, start, t, keys, slot_at, agent_of, last_seen, free, head, out):  # type: ignore[no-untyped-def] # noqa: PLR0913, PLR0917 - the state of one table
    """Find or make the slots of ids[start:]; return how far the room sufficed."""
    for k in range(start, ids.size):
        agent = ids[k]
        if agent < 0:
            out[k] = -1
            continue
        at = find(agent, keys)
        if keys[at] == _EMPTY:
            if head[_FREE] > 0:
                head[_FREE] -= 1
                slot = np.int64(free[head[_FREE]])
            elif head[_USED] < agent_of.size:
                slot = head[_USED]
                head[_USED] += 1
            else:
                return k
            keys[at] = agent
            slot_at[at] = slot
            agent_of[slot] = agent
        found = slot_at[at]
        last_seen[found] = t
        out[k] = found
    return ids.size


@kernel
def index_slots(held, agent_of, keys, slot_at):  # type: ignore[no-untyped-def]
    """Enter the `held` slots into an empty table."""
    for slot in held:
        at = find(agent_of[slot], keys)
        keys[at] = agent_of[slot]
        slot_at[at] = slot
