"""What docs/ingest.md shows is run: its JavaScript writes the bytes that Python writes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import playwright

from marketcam.engine import Tick
from marketcam.io import encode_tick_binary
from tests.certificates import make_certificate
from tests.ingest_helpers import ingest_server, producer, some_ticks
from tests.readme_blocks import ROOT
from tests.server.security.test_tls import trusting

if TYPE_CHECKING:
    from typing import Any

NODE = Path(playwright.__file__).parent / "driver" / "node"
"""The Node that the browser tests' library brings."""

CALL = """
process.stdout.write(Buffer.from(encodeTick(
    7, null, [1, 4294967295, 3], [0.5, NaN, 1], [99.5, NaN, 101], [1, 3, 3, -1, 3, 1], [1, 0, 2])));
"""

RAW: dict[str, Any] = {
    "t": 7,
    "mid": None,
    "agents": {1: 0.5, 2**32 - 1: None, 3: 1.0},
    "actions": {1: {"side": "buy", "price": 99.5}, 3: {"side": "sell", "price": 101.0}},
    "matches": [[1, 3], [3, -1], [3, 1]],
}


def test_javascript_writes_the_same_bytes() -> None:
    shown = (ROOT / "docs" / "ingest.md").read_text().split("```js\n")[1].partition("```")[0]
    written = subprocess.run([NODE, "-e", shown + CALL], stdout=subprocess.PIPE, check=True)
    assert written.stdout == encode_tick_binary(Tick.from_dict(RAW))


def test_a_producer_may_come_over_tls(tmp_path: Path) -> None:
    options = make_certificate(tmp_path)
    with ingest_server(tmp_path, **options) as server, producer(server, ssl=trusting()) as sim:
        sim.send(*some_ticks(0, 99), binary=True)
        sim.settle()
        assert sim.last_t == 99
