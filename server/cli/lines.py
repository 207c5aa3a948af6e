"""A camera's messages as lines for a terminal."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KINDS", "line_of"]

KINDS: Final = ("metric", "frame", "gap", "heartbeat")
"""The kinds of messages a camera sends unasked; it may come to send more."""

_STRONGEST: Final = 3
_EDGE_TYPES: Final = ("match", "quote_proximity")


def line_of(message: Mapping[str, Any]) -> str:
    """Describe a message in one line, without control characters whatever it holds.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: it is not as the contract has it.
    """
    kind, t = message["type"], message.get("to_t", message.get("t"))
    describe = {"metric": _metric, "frame": _frame, "gap": _gap}.get(kind, _fields)
    name = kind if kind in KINDS else json.dumps(kind)
    return f"{name:<9} {'-' if t is None else f'{t:d}':>8}  {describe(message)}".rstrip()


def _metric(message: Mapping[str, Any]) -> str:
    s = message["s"]
    return (
        f"price_norm {s['price_norm']:.6f}  volatility {s['volatility']:.6f}  "
        f"liquidity {s['liquidity']:.3f}  imbalance {s['imbalance']:+.3f}  "
        f"N {message['N']:d}  avg_exp {message['avg_exp']:+.4f}  matches {message['matches_n']:d}"
    )


def _frame(message: Mapping[str, Any]) -> str:
    window, edges = message["window"], message["edges"]
    counts = Counter(edge["type"] for edge in edges)
    parts = [
        f"window {window['t0']:d}-{window['t1']:d}",
        f"nodes {len(message['nodes'])}",
        *(f"{kind} {counts[kind]}" for kind in _EDGE_TYPES),
    ]
    if edges:
        parts.append(f"strongest {', '.join(map(_edge, edges[:_STRONGEST]))}")
    parts.extend(
        f"{name} {_events(message['events'][name])}"
        for name in ("bursts", "shocks")
        if message["events"][name]
    )
    return "  ".join(parts)


def _edge(edge: Mapping[str, Any]) -> str:
    kind = _EDGE_TYPES[_EDGE_TYPES.index(edge["type"])]
    return f"{_agent(edge['src'])}-{_agent(edge['dst'])} {kind} {edge['w']:.4f}"


def _agent(node: str) -> int:
    """Return the id in a node's name, ``agent:<id>@t:<t0>-<t1>``."""
    return int(node.removeprefix("agent:").partition("@")[0])


def _events(events: list[dict[str, Any]]) -> str:
    return ", ".join(f"t {e['t']:d} value {e['value']:g} score {e['score']:+.1f}" for e in events)


def _gap(message: Mapping[str, Any]) -> str:
    ticks = f"{message['from_t']:d}-{message['to_t']:d}"
    kind, reason = json.dumps(message["kind"])[1:-1], json.dumps(message["reason"])[1:-1]
    return f"{kind}s of ticks {ticks} were dropped by the camera ({reason})"


def _fields(message: Mapping[str, Any]) -> str:
    fields = ((key, value) for key, value in message.items() if key not in {"type", "t"})
    return "  ".join(f"{json.dumps(key)[1:-1]} {json.dumps(value)}" for key, value in fields)
