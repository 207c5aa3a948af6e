"""Scripts without comments are the same programs."""

from __future__ import annotations

import re

import pytest
from pygments.lexers.javascript import JavascriptLexer
from pygments.token import Comment, Whitespace

from marketcam.server.web.uncommented import uncommented
from marketcam.server.web.viewer import PACKAGED

SCRIPTS = sorted(PACKAGED.rglob("*.js"))


@pytest.mark.parametrize(
    ("script", "left"),
    [
        ("a; // beside\n", "a; // beside\n"),
        ("  // alone\nb;\n", "\nb;\n"),
        ("/** one\n * two\n */\nc;", "\n\n\nc;"),
        (
            "/** @type {A} */ (d) /* e */\nf; /** g */\n",
            "/** @type {A} */ (d) /* e */\nf; /** g */\n",
        ),
        ("/* h */ /* i */\n", "/* h */ /* i */\n"),
        ("/* j **/\nk * l / m;", "\nk * l / m;"),
    ],
)
def test_comments_with_nothing_beside_them_go(script, left):
    assert uncommented(script.encode()).decode() == left


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(PACKAGED).as_posix())
def test_nothing_else_goes(path):
    script = path.read_text()
    left = uncommented(path.read_bytes()).decode()
    assert left.count("\n") == script.count("\n")
    assert tokens(left) == tokens(script)
    assert not re.search(r"^\s*(//|/\*\*\n)", left, flags=re.MULTILINE)


def tokens(script):
    """What a script consists of, by somebody else's reading."""
    return [
        (kind, text)
        for kind, text in JavascriptLexer().get_tokens(script)
        if kind not in Comment and kind not in Whitespace and text.strip()
    ]
