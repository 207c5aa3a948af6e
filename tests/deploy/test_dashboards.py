"""Alerts and the dashboard ask for nothing but what live cameras and edges expose."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from marketcam.server import serve
from marketcam.server.edges.condition import EDGE_CODES
from marketcam.server.operators.condition import CODES
from marketcam.server.settings import Settings
from tests.deploy_files import DEPLOY
from tests.nats_helpers import nats_server
from tests.promql import Expression
from tests.server_helpers import fed_server, receive_until, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "0123456789abcdef0123"
LOST_ON_THE_WAY = ("nats_dropped", "upstream_gaps", "upstream_damaged")
BY_PROMETHEUS = {"job", "instance"}
"""Labels that Prometheus adds to whatever it scrapes."""


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((DEPLOY / "grafana/marketcam.json").read_bytes())
    return found


def targets() -> Iterator[tuple[str, dict[str, Any]]]:
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target


EXPRESSIONS = [
    *((rule["alert"], rule["expr"]) for rule in rules()),
    *((title, target["expr"]) for title, target in targets()),
]


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The labels of each series exposed: by a camera with an edge, one that has the rest."""
    texts = []
    folder = tmp_path_factory.mktemp("fed")
    with (
        nats_server(folder) as nats,
        fed_server(folder, webhook_url="http://127.0.0.1:1/", nats=nats.url) as (server, feed),
        running_server(Settings(port=0, nats=nats.url), serve.run_edge) as edge,
    ):
        with server.stream() as near, edge.stream() as far:
            feed.send_ticks(0, 5)
            for stream in (near, far):
                receive_until(stream, "frame", 4)
        server.rig.recorder.flush()
        for each in (server, edge):
            with each.http() as http:
                texts.append(http.get("/metrics").text)
    settings = Settings(port=0, store_dir=tmp_path_factory.mktemp("all"), ingest_token=TOKEN)
    with running_server(settings) as server, server.http() as http:
        texts.append(http.get("/metrics").text)
    labels: dict[str, set[str]] = {}
    for text in texts:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels.setdefault(sample.name, set()).update(sample.labels)
    return labels


@pytest.mark.parametrize(("name", "text"), EXPRESSIONS)
def test_each_expression_is_one_and_names_what_is_exposed(
    exposed: dict[str, set[str]], name: str, text: str
) -> None:
    expression = Expression(text)
    assert expression.metrics
    known: set[str] = set(BY_PROMETHEUS)
    for metric, labels in expression.metrics.items():
        if metric != "up":  # made by Prometheus itself
            assert metric in exposed, name
            assert labels <= exposed[metric] | BY_PROMETHEUS
            known |= exposed[metric]
    assert expression.grouped_by <= known


def test_what_alerts_say_of_labels_and_reasons_is_there() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(rule["annotations"]) == {"summary", "action"}
        for label in re.findall(r"\$labels\.(\w+)", str(rule["annotations"])):
            assert label == "instance" or label in rule["expr"], rule["alert"]
        for reasons in re.findall(r'reason[!=][=~]?"([\w|]+)"', rule["expr"]):
            assert set(reasons.split("|")) <= {*CODES, *EDGE_CODES}
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)


def test_a_reason_has_one_alert() -> None:
    """One that has a rule of its own is left out of the rule for all others."""
    told = {rule["alert"]: rule["expr"] for rule in rules() if "health_reason" in rule["expr"]}
    (left_out,) = re.findall(r'reason!~"([\w|]+)"', told.pop("MarketcamDegraded"))
    own = {one for text in told.values() for one in re.findall(r"\w+", text.partition('"')[2])}
    assert set(left_out.split("|")) == own & {*CODES, *EDGE_CODES}


def test_what_an_edge_and_the_way_to_it_lose_has_an_alert() -> None:
    asked = {metric for rule in rules() for metric in Expression(rule["expr"]).metrics}
    assert asked >= {f"marketcam_{name}_total" for name in LOST_ON_THE_WAY}


def test_legends_name_labels_that_are_there(exposed: dict[str, set[str]]) -> None:
    for title, target in targets():
        labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) - BY_PROMETHEUS
        metrics = Expression(target["expr"]).metrics
        assert labels <= set().union(*(exposed[metric] for metric in metrics)), title


def test_panels_have_room_and_numbers_of_their_own() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & places, panel["title"]
        places |= cells


def test_prometheus_is_told_the_job_that_alerts_ask_for() -> None:
    given = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    (job,) = given["scrape_configs"]
    jobs = {found for _, text in EXPRESSIONS for found in re.findall(r'job="(\w+)"', text)}
    assert jobs == {job["job_name"]}


@pytest.mark.parametrize(
    "text",
    [
        "rate(marketcam_ticks_total)",
        "marketcam_ticks_total[5m]> 1",
        "sum by instance (up)",
        "up ==",
        "up{job=marketcam}",
        "(up",
        "up up",
        "rates(up[5m])",
        "up[5 minutes]",
    ],
)
def test_what_is_no_expression_is_found(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        Expression(text)
