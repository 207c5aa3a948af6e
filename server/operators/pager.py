"""A screen that may be taller than the terminal, shown a page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

__all__ = ["Pager"]


class Pager:
    """Shows what fits into the terminal; the last line says what is left where not all does.

    Attributes:
        content: what there is to show.
    """

    def __init__(self, content: RenderableType) -> None:
        """Begin with the first page."""
        self.content = content
        self._page = 0

    def turn(self) -> None:
        """Show the next page; after the last one the first."""
        self._page += 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render the lines of the page."""
        lines = console.render_lines(self.content, options.update(height=None), pad=False)
        while lines and not "".join(segment.text for segment in lines[-1]).strip():
            lines.pop()
        height = max(2, options.height or console.height)
        if len(lines) > height:
            room = height - 1
            pages = -(-len(lines) // room)
            self._page %= pages
            begin = self._page * room
            here = lines[begin : begin + room]
            foot = f"page {self._page + 1} of {pages}, space for the next"
            lines = [*here, [Segment(foot[: options.max_width], Style(reverse=True))]]
        for number, line in enumerate(lines):
            if number:
                yield Segment.line()
            yield from line
