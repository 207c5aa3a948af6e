"""`docs/operations.md` says what there is: metrics, reasons, queues and the body of a post."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from marketcam.server import serve
from marketcam.server.edges.condition import EDGE_CODES, EDGE_TURNING_AWAY
from marketcam.server.operators.condition import CODES, TURNING_AWAY
from marketcam.server.operators.events import EventSifter
from marketcam.server.operators.queues import queues_of
from marketcam.server.operators.webhook import LOSSES
from marketcam.server.settings import Settings
from tests.event_frames import frame_at
from tests.server_helpers import fed_server, receive_until, running_server

if TYPE_CHECKING:
    from prometheus_client import Metric

TEXT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()

TOKEN = "0123456789abcdef0123"


def rows(section: str) -> list[list[str]]:
    """Return the cells of the table of a section, without its head."""
    part = TEXT.partition(f"## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.fixture(scope="module")
def edge_figures() -> list[Metric]:
    """The families of an edge that has found no NATS, which are those of any."""
    settings = Settings(port=0, nats="nats://127.0.0.1:1", read_token=TOKEN)
    headers = {"authorization": f"Bearer {TOKEN}"}
    with running_server(settings, serve.run_edge) as server, server.http() as http:
        text = http.get("/metrics", headers=headers).text
    return list(text_string_to_metric_families(text))


def test_the_reasons_of_an_edge_are_told() -> None:
    table = {}
    for row in rows("Edges")[: len(EDGE_CODES)]:
        if row[-1] in {"200", "503"}:
            table |= dict.fromkeys(re.findall(r"`(\w+)`", row[0]), row[-1])
    assert list(table) == list(EDGE_CODES)
    assert {code for code, ready in table.items() if ready == "503"} == EDGE_TURNING_AWAY


def test_the_metrics_of_an_edge_are_told(edge_figures: list[Metric]) -> None:
    of_cameras = {(name, kind, meaning) for name, kind, _, meaning in rows("Metrics")}
    own = {(row[0], row[1], row[3]) for row in rows("Edges") if row[0].startswith("`marketcam_")}
    table = {tuple(row_of(family)) for family in edge_figures}
    assert sorted(table - of_cameras - own) == []
    assert own <= table


def exposed(folder: Path) -> list[Metric]:
    """Return the families of a camera that has all its parts."""
    settings = Settings(
        port=0,
        store_dir=folder,
        ingest_token=TOKEN,
        read_token=TOKEN[::-1],
        webhook_url="http://127.0.0.1:1/",
        nats="nats://127.0.0.1:1",
    )
    headers = {"authorization": f"Bearer {TOKEN[::-1]}"}
    with running_server(settings) as server, server.http() as http:
        text = http.get("/metrics", headers=headers).text
        names = [queue.name for queue in queues_of(server.rig)]
    assert names == [row[0].strip("`") for row in rows("Queues")]
    return list(text_string_to_metric_families(text))


def row_of(family: Metric) -> list[str]:
    name = family.name + ("_total" if family.type == "counter" else "")
    return [f"`{name}`", family.type, family.documentation]


def test_the_table_of_metrics_is_what_is_exposed(tmp_path: Path) -> None:
    families = exposed(tmp_path)
    table = {tuple(row_of(family)) for family in families}
    told = {(name, kind, meaning) for name, kind, _, meaning in rows("Metrics")}
    missing, gone = sorted(table - told), sorted(told - table)
    assert not missing, "\n".join(f"| {n} | {k} |  | {m} |" for n, k, m in missing)
    assert not gone


def test_the_labels_are_those_of_the_samples(tmp_path: Path) -> None:
    with fed_server(tmp_path, webhook_url="http://127.0.0.1:1/", nats="nats://127.0.0.1:1") as (
        server,
        feed,
    ):
        with server.stream() as stream:
            feed.send_ticks(0, 5)
            receive_until(stream, "frame", 4)
        server.rig.recorder.flush()
        with server.http() as http:
            families = list(text_string_to_metric_families(http.get("/metrics").text))
    told = {name.strip("`"): labels for name, _, labels, _ in rows("Metrics")}
    for family in families:
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        name = row_of(family)[0].strip("`")
        if family.samples:
            assert set(re.findall(r"`(\w+)`", told[name])) == labels, name


def test_every_reason_is_told() -> None:
    table = {row[0].strip("`"): row[2] for row in rows("Ready, or degraded and why")}
    assert list(table) == list(CODES)
    assert {code for code, ready in table.items() if ready == "503"} == TURNING_AWAY


def test_every_loss_of_the_webhook_is_told() -> None:
    part = TEXT.partition("## Webhook\n")[2].partition("\n## ")[0]
    for loss in LOSSES:
        assert f"`{loss}`" in part


def test_the_body_of_a_post_is_as_it_is_told() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    body = orjson.loads(text)
    (event,) = EventSifter().new_events(frame_at(20, (18,)))
    assert list(body) == ["type", "run", "events"]
    for told in body["events"]:
        assert list(told) == list(event.to_dict(body["run"]))
        assert told["id"] == f"{body['run']}/{told['type']}/{told['t']}"


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(marketcam_\w+)`", TEXT))))
def test_metrics_named_in_the_text_are_in_the_table(name: str) -> None:
    assert f"`{name}`" in [row[0] for row in rows("Metrics") + rows("Edges")]
