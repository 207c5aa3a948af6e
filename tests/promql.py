"""As much of PromQL as tells whether an expression is one, and which metrics it names.

A recursive descent over the grammar of Prometheus' documentation, without subqueries, `@` and
`offset`, which no expression of ours has.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<duration>\[(?:\d+(?:ms|[smhdwy])|\$__rate_interval)\])
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<text>"(?:[^"\\]|\\.)*")
      | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
      | (?P<sign>==|!=|>=|<=|=~|!~|[-+*/%^<>=(){},])
    )""",
    re.VERBOSE,
)

_AGGREGATIONS = {"sum", "min", "max", "avg", "count", "topk"}
_FUNCTIONS = {
    **dict.fromkeys(("rate", "increase", "changes"), ("range",)),
    "predict_linear": ("range", "instant"),
    "histogram_quantile": ("instant", "instant"),
}
_BINARY = ({"or"}, {"and", "unless"}, {"==", "!=", ">", "<", ">=", "<="}, {"+", "-"}, {"*", "/"})


class _Token(NamedTuple):
    kind: str
    text: str


class Expression:
    """One that has been read.

    Attributes:
        metrics: the names of the series it selects, and the labels it asks of each.

    Raises:
        ValueError: it is no expression; says what was seen where.
    """

    def __init__(self, text: str) -> None:
        self.metrics: dict[str, set[str]] = {}
        self.grouped_by: set[str] = set()
        self._text = text
        self._tokens = _tokens(text)
        self._binary(0)
        if self._tokens:
            raise self._error("an operator or the end")

    def _binary(self, level: int) -> str:
        if level == len(_BINARY):
            return self._operand()
        kind = self._binary(level + 1)
        while self._tokens and self._tokens[0].text in _BINARY[level]:
            self._tokens.pop(0)
            if {kind, self._binary(level + 1)} - {"instant"}:
                raise ValueError(f"{self._text}: an operator on a range")
        return kind

    def _operand(self) -> str:
        token = self._take()
        if token.kind == "number":
            return "instant"
        if token.text == "(":
            kind = self._binary(0)
            self._expect(")")
            return kind
        if token.kind != "name":
            raise self._error("an operand", token)
        if token.text in _AGGREGATIONS:
            return self._aggregation()
        if self._sees("("):
            return self._call(token.text)
        return self._selector(token.text)

    def _aggregation(self) -> str:
        if self._sees("by"):
            self._take()
            self._expect("(")
            self.grouped_by |= set(self._names())
        self._arguments(("instant",))
        return "instant"

    def _call(self, name: str) -> str:
        if name not in _FUNCTIONS:
            raise ValueError(f"{self._text}: no function {name!r} is known")
        self._arguments(_FUNCTIONS[name])
        return "instant"

    def _arguments(self, kinds: tuple[str, ...]) -> None:
        self._expect("(")
        for index, kind in enumerate(kinds):
            if index:
                self._expect(",")
            if self._binary(0) != kind:
                raise ValueError(f"{self._text}: argument {index + 1} must be of kind {kind}")
        self._expect(")")

    def _selector(self, name: str) -> str:
        labels = self.metrics.setdefault(name, set())
        if self._sees("{"):
            self._take()
            while not self._sees("}"):
                labels.add(self._take("name").text)
                if self._take().text not in {"=", "!=", "=~", "!~"}:
                    raise self._error("a comparison of a label")
                self._take("text")
                if self._sees(","):
                    self._take()
            self._take()
        if self._tokens and self._tokens[0].kind == "duration":
            self._take()
            return "range"
        return "instant"

    def _names(self) -> list[str]:
        names = [self._take("name").text]
        while self._sees(","):
            self._take()
            names.append(self._take("name").text)
        self._expect(")")
        return names

    def _sees(self, text: str) -> bool:
        return bool(self._tokens) and self._tokens[0].text == text

    def _take(self, kind: str | None = None) -> _Token:
        if not self._tokens or kind not in {None, self._tokens[0].kind}:
            raise self._error(kind or "more")
        return self._tokens.pop(0)

    def _expect(self, text: str) -> None:
        if not self._sees(text):
            raise self._error(repr(text))
        self._take()

    def _error(self, expected: str, seen: _Token | None = None) -> ValueError:
        token = seen or (self._tokens[0] if self._tokens else None)
        got = "the end" if token is None else repr(token.text)
        return ValueError(f"{self._text}: expected {expected}, got {got}")


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise ValueError(f"{text}: not understood from {text[at:]!r}")
        found.append(_Token(match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found
