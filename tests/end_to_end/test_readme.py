"""What the README shows is run as it is shown, and what it says is compared with what there is."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import orjson
import pytest
import zstandard

from marketcam.engine import Tick
from marketcam.io.sources.tick_json import parse_tick
from marketcam.io.store import KINDS, SegmentName, Store
from marketcam.server.cli.flags import add_setting_flags, settings_from
from marketcam.server.cli.parsing import Parser
from marketcam.server.settings import configuration_table, described_settings
from marketcam.server.stream.messages import Gap
from tests.readme_blocks import (
    CHINESE,
    ENGLISH,
    MESSAGES,
    READMES,
    ROOT,
    code_spans,
    commands,
    configuration,
    configuration_rows,
    heading_levels,
    read,
    relative_links,
    the_block,
)
from tests.server_helpers import PATIENCE, open_stream, receive_until, server_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from tests.server_helpers import ServerProcess

BLOCKS = [
    ("Market Camera", ""),
    ("Start", "bash"),
    ("Start", "bash"),
    ("Look at it", "python"),
    ("Look at it", "javascript"),  # test_browser_client.py
    ("Look at it", "bash"),
    ("What it sends", "json"),
    ("What it sends", "json"),
    ("Film your own simulator", "bash"),
    ("Film your own simulator", "bash"),
    ("Film your own simulator", "bash"),
    ("Film your own simulator", "json"),
    ("Film your own simulator", "python"),
    ("Recordings", ""),
    ("Recordings", "bash"),
    ("Recordings", "bash"),
    ("Choose a window and an edge cap", "bash"),
    ("The house", ""),
]

METRIC_LINE = r"t=(\d+) N=20 matches=\d+"
FRAME_LINE = r"frame t=(\d+): 20 nodes, \d+ edges"
LISTENING_LINE = r"listening on (http://\S+)"
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Run a camera that frames soon and closes segments often, with its store in `data`."""
    folder = tmp_path_factory.mktemp("camera")
    flags = ("--agents", "20", "--tick-rate", "500", "--W", "20", "--segment-bytes", "200000")
    with server_process(folder, *flags, IG_CAM_STORE_DIR=str(folder / "data")) as server:
        server.wait_for_log("event=segment_closed path=frames/")
        yield server


def run_lines(camera: ServerProcess, text: str) -> str:
    """Put a server's port in the place of the README's, which has to be there."""
    assert "127.0.0.1:8000" in text
    return text.replace("127.0.0.1:8000", f"127.0.0.1:{camera.port}")


def activated() -> dict[str, str]:
    """Return the environment of a shell in which `.venv/bin/activate` was sourced."""
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("IG_")}
    return clean | {"PATH": path, "PYTHONUNBUFFERED": "1", "no_proxy": "127.0.0.1"}


def output_of(script: str, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-ec", script],
        cwd=folder,
        env=activated(),
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout


@contextmanager
def started(*command: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """Run a command that does not end by itself, with all its output in one; killed at the end."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=activated(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # not reaped yet, so the number is still its own
        process.wait()
        process.stdout.close()


def read_until(output: IO[str], *patterns: str) -> list[str]:
    """Read lines until each pattern has matched a whole one; return all lines read."""
    missing, lines = set(patterns), []
    while missing:
        line = output.readline()
        assert line, f"ended without {missing}:\n{''.join(lines)}"
        lines.append(line.rstrip("\n"))
        missing = {pattern for pattern in missing if not re.fullmatch(pattern, lines[-1])}
    return lines


def structure(value: Any) -> Any:
    """Return names in their order and types, down to the first item of each list."""
    if isinstance(value, dict):
        return [(name, structure(member)) for name, member in value.items()]
    if isinstance(value, list):
        return [structure(item) for item in value[:1]]
    return type(value).__name__


def test_every_block_is_known_here():
    assert [(block.section, block.language) for block in read(ENGLISH).blocks] == BLOCKS


# what is run


def test_python_client_prints_metrics_and_frames(camera, tmp_path):
    client = run_lines(camera, the_block("Look at it", "python"))
    with started(sys.executable, "-c", client, folder=tmp_path) as (_, output):
        lines = read_until(output, METRIC_LINE, FRAME_LINE)
    *metrics, frame = lines
    numbers = [int(found[1]) for line in metrics if (found := re.fullmatch(METRIC_LINE, line))]
    assert numbers == list(range(numbers[0], numbers[0] + len(metrics)))
    assert int(re.fullmatch(FRAME_LINE, frame)[1]) % 10 == 0


@needs_curl
def test_terminal_commands_show_what_a_camera_does(camera, tmp_path):
    tail, health, manifest = commands(run_lines(camera, the_block("Look at it", "bash")))
    with started("bash", "-c", tail, folder=tmp_path) as (_, output):
        read_until(output, r"metric +\d+  .* N 20 .*", r"frame +\d+  .* nodes 20 .*")
    assert orjson.loads(output_of(health, tmp_path))["ok"] is True
    oldest, *_ = orjson.loads(output_of(manifest, tmp_path))
    assert oldest["path"].startswith("frames/segment_")


def test_a_simulator_is_filmed_and_its_ticks_once_more(tmp_path):
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    simulator = the_block("Film your own simulator", "bash", 0)
    with filming(simulator, tmp_path) as stream_url, open_stream(stream_url) as stream:
        assert receive_until(stream, "metric", 120)[0]["N"] == 3
    again = the_block("Film your own simulator", "bash", 1)
    with filming(again, tmp_path) as stream_url, open_stream(stream_url) as stream:
        assert receive_until(stream, "frame", 100)[-1]["window"]["W"] == 100
    output_of(the_block("Film your own simulator", "bash", 2), tmp_path)
    first, second, *_ = Store(tmp_path / "data" / "film").frames()
    assert (first["t"], second["t"], first["window"]["W"]) == (100, 105, 100)


@contextmanager
def filming(script: str, folder: Path) -> Iterator[str]:
    """Run a README's camera on a free port; yield its stream's address, then end it in order."""
    free, replaced = re.subn(r"--port 800\d", "--port 0", script)
    assert replaced == 1
    with started("bash", "-c", free, folder=folder) as (process, output):
        *_, listening = read_until(output, LISTENING_LINE)
        yield f"ws{re.fullmatch(LISTENING_LINE, listening)[1].removeprefix('http')}/ws/stream"
        os.killpg(process.pid, signal.SIGTERM)
        assert "event=segment_closed" in output.read()


def test_recordings_are_listed_and_printed(tmp_path):
    store = tmp_path / "data"
    flags = ("--tick-rate", "0", "--W", "20", "--segment-bytes", "500000")
    with server_process(tmp_path, *flags, IG_CAM_STORE_DIR=str(store)) as server:
        with server.stream() as stream:
            receive_until(stream, "frame", 2000)
        assert server.stop(signal.SIGTERM) == 0
    script = commands(the_block("Recordings", "bash"))
    ls, runs, frames, metrics, verify, recover, prune = (output_of(c, tmp_path) for c in script)
    assert all(f"\n{kind}/segment_" in ls for kind in ("frames", "metrics"))
    assert "_pending" not in ls
    (run,) = Store(store).runs()
    assert run.id in runs
    assert ticks_of(frames) == list(range(1000, 2001, 10))
    assert ticks_of(metrics)[:3] == [0, 100, 200]
    assert verify.endswith(": clean\n")
    assert "whole" in recover or "in order" in recover
    assert "segment" in prune


def ticks_of(lines: str) -> list[int]:
    return [orjson.loads(line)["t"] for line in lines.splitlines()]


@needs_curl
def test_history_is_asked_for(camera, tmp_path):
    runs, metrics, events, *_ = commands(run_lines(camera, the_block("Recordings", "bash", 1)))
    with camera.stream() as stream:
        receive_until(stream, "metric", 2000)  # more than a flush after the ticks asked for
    (run,) = orjson.loads(output_of(runs, tmp_path))
    assert run["about"]["seed"] == 0
    assert ticks_of(output_of(metrics, tmp_path)) == list(range(100, 105))
    assert orjson.loads(output_of(events, tmp_path))["source"] == "recorded"


@needs_curl
def test_the_oldest_segment_is_downloaded(camera, tmp_path):
    *_, name, download = commands(run_lines(camera, the_block("Recordings", "bash", 1)))
    output_of(f"{name}\n{download}", tmp_path)
    (segment,) = tmp_path.iterdir()
    first = zstandard.decompress(segment.read_bytes()).splitlines()[0]
    assert orjson.loads(first)["t"] == SegmentName.parse(segment.name).start_t == 20


def test_the_engine_is_used_from_python(tmp_path):
    script = the_block("Film your own simulator", "python")
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True
    )
    features = ast.literal_eval(done.stdout)
    frame = orjson.loads(the_block("What it sends", "json", 1))
    assert list(features) == list(frame["nodes"][0]["features"])
    assert (features["buy_count"], features["match_count"]) == (300, 300)


def test_a_grid_is_profiled(tmp_path):
    table = output_of(the_block("Choose a window and an edge cap", "bash"), tmp_path)
    rows = [line.split()[:2] for line in table.splitlines() if re.match(r" +\d", line)]
    assert rows == [["100", "500"], ["100", "2,000"], ["300", "500"], ["300", "2,000"]]
    assert (tmp_path / "profile.html").read_text().startswith("<!doctype html>")


def make_targets() -> list[str]:
    shown = (block.text for block in read(ENGLISH).blocks if block.language == "bash")
    lines = [*code_spans(ENGLISH), *(line for text in shown for line in commands(text))]
    return sorted({line.split()[1] for line in lines if line.startswith("make ")})


@pytest.mark.parametrize("target", make_targets())
def test_make_knows_its_targets(target):
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_environment_to_activate_is_the_one_that_make_makes():
    (activate,) = commands(the_block("Start", "bash", 1))
    folder = re.search(r"^VENV +:= (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert activate == f"source {folder}/bin/activate"


def test_arguments_for_make_are_flags():
    parser = Parser(prog="test")
    add_setting_flags(parser, described_settings())
    shown = re.findall(r'`make serve ARGS="([^"]+)"`', ENGLISH.read_text())
    paced, grouped = (settings_from(parser.parse_args(shlex.split(flags))) for flags in shown)
    assert (paced.agents, paced.tick_rate) == (74, 200)
    assert (grouped.agents, grouped.scenario) == (1000, "ecology")


# what is compared


def test_json_examples_have_the_fields_that_are_sent(camera):
    with camera.stream() as stream:
        sent = {message["type"]: message for message in receive_until(stream, "frame", 0)}
    metric, frame = (orjson.loads(the_block("What it sends", "json", n)) for n in (0, 1))
    assert structure(metric) == structure(sent["metric"])
    live = sent["frame"] | {"events": {name: [] for name in sent["frame"]["events"]}}
    assert structure(frame) == structure(live)


def test_the_frame_example_agrees_with_itself():
    frame = orjson.loads(the_block("What it sends", "json", 1))
    (node,), (edge,), window = frame["nodes"], frame["edges"], frame["window"]
    features, span = node["features"], f"{window['t0']}-{window['t1']}"
    assert frame["t"] == window["t1"] == window["t0"] + window["W"] - 1
    assert frame["t"] % window["stride"] == 0
    assert node["node_id"] == edge["src"] == f"agent:{node['agent_id']}@t:{span}"
    assert (node["t0"], node["t1"]) == (window["t0"], window["t1"])
    counts = (features[f"{side}_count"] for side in ("buy", "sell", "none"))
    assert sum(counts) == window["W"]
    assert features["match_rate"] == round(features["match_count"] / window["W"], 6)
    gain = features["experience_end"] - features["experience_start"]
    assert features["experience_delta"] == round(gain, 6)


def test_raw_tick_examples_are_taken_in():
    line = the_block("Film your own simulator", "json")
    tick = parse_tick(line.encode())
    assert tick.to_dict() == orjson.loads(line)
    example, _ = (block.text for block in read(MESSAGES).blocks)  # the other is a line of events
    assert Tick.from_dict(orjson.loads(example)).matches.tolist() == [[7, 9], [9, -1]]


def test_messages_tells_all_features_and_gaps():
    text = MESSAGES.read_text()
    (node,) = orjson.loads(the_block("What it sends", "json", 1))["nodes"]
    assert all(f"`{feature}`" in text for feature in node["features"])
    hints = get_type_hints(Gap)
    said = [*get_args(hints["kind"]), *get_args(hints["reason"])]
    assert [word for word in said if f'`"{word}"`' not in text] == []
    assert all(f'"{field}":' in text for field in hints)


def test_the_store_is_laid_out_as_shown():
    layout = the_block("Recordings", "")
    names = [SegmentName.parse(name) for name in re.findall(r"segment_\S+", layout)]
    assert [name.pending for name in names] == [False, True]
    assert all(f"{kind}/" in layout for kind in KINDS)


def test_the_house_is_there():
    shown = re.findall(r"(?<!\S)[\w/]+(?:/|\.py)(?!\S)", the_block("The house", ""))
    assert len(shown) == 10
    assert [path for path in shown if not (ROOT / path).exists()] == []


def test_all_settings_are_in_the_table():
    assert configuration(ENGLISH) == configuration_table()


def test_both_tables_say_the_same():
    rows = zip(configuration_rows(ENGLISH), configuration_rows(CHINESE), strict=True)
    for (*english, meaning), (*chinese, translated) in rows:
        assert english == chinese
        assert numbers_in(meaning) == numbers_in(translated), translated


def numbers_in(text: str) -> Counter[str]:
    return Counter(re.findall(r"\d+(?:[.^-]+\d+)*", text))


def test_both_readmes_show_the_same():
    english, chinese = (
        [(block.language, block.text) for block in read(readme).blocks] for readme in READMES
    )
    assert english == chinese
    assert heading_levels(ENGLISH) == heading_levels(CHINESE)
    assert code_spans(ENGLISH) == code_spans(CHINESE)


def test_flags_and_variables_exist():
    text = ENGLISH.read_text()
    settings = described_settings()
    flags = {flag for setting in settings for flag in setting.flags}
    of_commands = [
        "help",
        "store",
        "from-t",
        "to-t",
        "report",
        "run",
        "runs",
        "every",
        "keep",
        "yes",
        "token",
        "workers",
        "dask",
    ]
    known = flags | {f"--{name}" for name in of_commands}
    assert set(re.findall(r"(?<![\w-])--[A-Za-z][\w-]*", text)) <= known
    variables = {setting.variable for setting in settings}
    assert set(re.findall(r"\bIG_[A-Z_]+", text)) <= variables


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_links_lead_somewhere(readme):
    links = relative_links(readme)
    assert [link for link in links if not (ROOT / link).exists()] == []
    (other,) = set(READMES) - {readme}
    assert other.name in links


def test_nothing_names_a_place_on_this_machine():
    places = {ROOT.parent, Path.home(), Path(tempfile.gettempdir())} - {Path(ROOT.anchor)}
    found = [
        f"{path.relative_to(ROOT)}: {named}"
        for path in texts()
        for named in re.findall(r"(?<![\w.:/])/[\w.-]+(?:/[\w.-]+)*", path.read_text())
        if places & set(Path(named).parents) and Path(named).exists()
    ]
    assert found == []


def texts() -> list[Path]:
    """Return the documents, and the sources beside the packages."""
    folders = (("docs", "*.md"), ("tests", "*.py"), ("benchmarks", "*.py"))
    inside = [path for folder, kind in folders for path in (ROOT / folder).rglob(kind)]
    return [*ROOT.glob("*.md"), ROOT / "Makefile", *inside]
