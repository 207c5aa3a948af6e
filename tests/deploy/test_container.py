"""The container file, as far as it can be tried without building it."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, NamedTuple

import orjson

from marketcam.server.cli import COMMANDS
from marketcam.server.settings import described_settings
from tests.deploy_files import DEPLOY, ROOT
from tests.server_helpers import PATIENCE, fed_server

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = DEPLOY / "container"
KNOWN = {
    *("FROM", "WORKDIR", "RUN", "COPY", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL"),
    *("HEALTHCHECK", "ENTRYPOINT", "CMD"),
}


class Step(NamedTuple):
    """One instruction."""

    name: str
    text: str


def steps() -> list[Step]:
    text = re.sub(r"\\\n\s*", "", (FOLDER / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [Step(*line.split(maxsplit=1)) for line in lines]


def of(name: str) -> list[str]:
    return [step.text for step in steps() if step.name == name]


def copied_from_here() -> list[str]:
    sources = [text.split()[:-1] for text in of("COPY") if not text.startswith("--from=")]
    return [source for of_step in sources for source in of_step]


def test_it_is_made_of_instructions_that_there_are() -> None:
    assert {step.name for step in steps()} <= KNOWN
    assert steps()[0].name == "FROM"
    for text in (*of("VOLUME"), *of("ENTRYPOINT"), *of("CMD")):
        assert isinstance(orjson.loads(text), list)


def test_both_stages_are_of_one_pinned_image_without_a_registry() -> None:
    first, last = of("FROM")
    assert first == f"{last} AS build"
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", last)


def test_all_that_is_copied_is_there_and_is_sent_to_the_builder() -> None:
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    sent = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert ignored[0] == "*"
    for source in copied_from_here():
        assert (ROOT / source).exists()
        assert source in sent
    assert sent == set(copied_from_here())
    [(_, path, where)] = [text.split() for text in of("COPY") if text.startswith("--from=")]
    assert path == where
    assert f"RUN python -m venv {path}" in (FOLDER / "Dockerfile").read_text()


def test_what_the_build_needs_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    copied = copied_from_here()
    assert project["project"]["readme"] in copied
    assert set(project["project"]["license-files"]) <= set(copied)
    assert set(project["tool"]["setuptools"]["package-dir"].values()) <= set(copied)


def test_it_installs_as_the_makefile_does() -> None:
    """The pins, by their hashes; then the package, not editable, since no checkout is there."""
    makefile = (ROOT / "Makefile").read_text()
    pinned, package = (text for text in of("RUN") if " pip install " in text)
    assert "$(PIP) --require-hashes --no-deps -r $<" in makefile
    assert pinned.endswith("--require-hashes --no-deps -r requirements/run.lock")
    assert "$(PIP) --no-deps --no-build-isolation --editable ." in makefile
    assert package.endswith("--no-deps --no-build-isolation .")
    # Without build isolation, what builds it has to be among the pins.
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    lock = (ROOT / "requirements/run.lock").read_text()
    for requirement in build:
        assert re.search(rf"^{re.split('[<>=]', requirement)[0]}==", lock, re.MULTILINE)


def test_it_is_no_root_and_writes_where_volumes_are() -> None:
    assert [int(user) for user in of("USER")] == [10001]
    assert steps().index(Step("USER", "10001")) > max(
        index for index, step in enumerate(steps()) if step.name == "RUN"
    )
    variables = dict(pair.split("=", 1) for text in of("ENV") for pair in shlex.split(text))
    settings = {setting.variable for setting in described_settings()}
    assert variables.keys() - settings == {"NUMBA_CACHE_DIR", "PYTHONDONTWRITEBYTECODE"}
    (volumes,) = (orjson.loads(text) for text in of("VOLUME"))
    assert {variables["IG_CAM_STORE_DIR"], variables["NUMBA_CACHE_DIR"]} == set(volumes)
    (made,) = (text for text in of("RUN") if "install -d" in text)
    assert all(volume in made.split() for volume in volumes)
    assert of("EXPOSE") == [variables["PORT"]]


def test_what_it_runs_is_the_command() -> None:
    [entry], [command] = orjson.loads(of("ENTRYPOINT")[0]), orjson.loads(of("CMD")[0])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert entry.rsplit("/", 1)[1] in project["scripts"]
    assert command in COMMANDS
    assert signal.Signals[of("STOPSIGNAL")[0]] == signal.SIGTERM


def health_check() -> str:
    """Return the script that the check runs, which is one of those copied."""
    (text,) = of("HEALTHCHECK")
    python, script = orjson.loads(text.partition("CMD ")[2])
    assert python == "/opt/marketcam/bin/python"
    source, target = next(t.split() for t in of("COPY") if "healthcheck" in t)
    assert target == script
    return str(ROOT / source)


def is_healthy(**variables: str) -> bool:
    command = [sys.executable, health_check()]
    result = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert "Traceback" not in result.stderr
    return result.returncode == 0


def test_the_check_of_health_asks_whether_it_is_ready(tmp_path: Path) -> None:
    token = "a-token-of-sixteen"
    (tmp_path / "token").write_text(token)
    with fed_server(tmp_path, read_token=token, max_clients=1) as (server, _):
        port = str(server.listening.port)
        assert is_healthy(PORT=port, IG_READ_TOKEN=f"@{tmp_path / 'token'}")
        assert not is_healthy(PORT=port)
        assert not is_healthy(PORT=port, IG_READ_TOKEN="@/nowhere")
        with server.stream() as stream:
            stream.send(orjson.dumps({"type": "auth", "token": token}).decode())
            assert stream.recv(timeout=PATIENCE) == '{"type":"auth","ok":true}'
            assert not is_healthy(PORT=port, IG_READ_TOKEN=token), "it has no place for another"
    assert not is_healthy(PORT=port, IG_READ_TOKEN=token)
