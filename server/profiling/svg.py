"""A matplotlib figure as SVG that stands in a page: themed by its CSS, without ids that collide."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

__all__ = ["COLOURS", "inline_svg"]

COLOURS: Final = {
    "ink": "#010101",
    "muted": "#020202",
    "rule": "#030303",
    "paper": "#040404",
    **{f"s{n}": f"#0501{n:02d}" for n in range(1, 7)},
}
"""The page's CSS variables, and the colours that stand for them while matplotlib draws."""

_SVG: Final = "{http://www.w3.org/2000/svg}"
_XLINK: Final = "{http://www.w3.org/1999/xlink}"
_DROPPED: Final = (f"{_SVG}metadata", f"{_SVG}style")


def inline_svg(figure: Figure, name: str, titles: Mapping[str, str], label: str) -> str:
    """Return a figure as an `svg` element.

    `name` begins all its ids, `titles` are shown when the artist with that gid is pointed at,
    `label` is what a screen reader says.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    root = ET.fromstring(buffer.getvalue())  # noqa: S314 - as above
    _drop(root)
    _add_titles(root, titles)
    _rename(root, name)
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-label", label)
    return _themed(ET.tostring(root, encoding="unicode"))


def _drop(root: ET.Element) -> None:
    for parent in root.iter():
        for child in [child for child in parent if child.tag in _DROPPED]:
            parent.remove(child)


def _add_titles(root: ET.Element, titles: Mapping[str, str]) -> None:
    for element in root.iter():
        if (text := titles.get(element.get("id", ""))) is not None:
            title = ET.Element(f"{_SVG}title")
            title.text = text
            element.insert(0, title)


def _rename(root: ET.Element, name: str) -> None:
    """Keep the ids that something refers to, made the page's own; write links as HTML does."""
    used = set(re.findall(r"#([\w-]+)", ET.tostring(root, encoding="unicode")))
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        identity = element.attrib.pop("id", None)
        if identity in used:
            element.set("id", f"{name}-{identity}")
        if (target := element.attrib.pop(f"{_XLINK}href", None)) is not None:
            element.set("href", f"#{name}-{target[1:]}")
        if (clip := element.get("clip-path")) is not None:
            element.set("clip-path", clip.replace("#", f"#{name}-"))


def _themed(text: str) -> str:
    for variable, stand_in in COLOURS.items():
        text = text.replace(stand_in, f"var(--{variable})")
    return text
