"""`marketcam doctor`: each check on what it is there to find, and the command as a whole."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from marketcam.io.store.lock import StoreLock
from marketcam.server.cli import main
from marketcam.server.doctor import listening, machine, outside, storing
from marketcam.server.doctor.checks import CHECKS, examine
from marketcam.server.settings import Settings
from tests.nats_helpers import NatsServer, nats_server
from tests.server_helpers import PATIENCE
from tests.simulators import FAKE_FOLDER, FAKE_NAME, clean_slate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from marketcam.server.doctor.finding import Finding

RANDOM = "9f2c4e81b07d5a36"


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    def make(**given: Any) -> Settings:
        return Settings(**({"store_dir": tmp_path / "store", "port": 0} | given))

    return make


def test_a_machine_that_runs_these_tests_is_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--store-dir", str(tmp_path / "store"), "--port", "0", "--retain-seconds", "1000"]
    flags += ["--disk-start-pct", "100", "--max-connections", "8"]
    assert main(["doctor", "--json", *flags]) == 0
    findings = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [finding["check"] for finding in findings] == list(CHECKS)
    assert {finding["state"] for finding in findings} <= {"ok", "warning"}
    assert all(set(finding) == {"check", "state", "text", "remedy"} for finding in findings)
    assert all(bool(f["remedy"]) == (f["state"] != "ok") for f in findings)
    assert not (tmp_path / "store").exists(), "it makes nothing"
    assert list(tmp_path.iterdir()) == []


def test_a_problem_is_a_line_with_what_to_do_and_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "store").write_text("no folder")
    quick = {"store": storing.check_store, "clock": machine.check_clock}
    monkeypatch.setattr("marketcam.server.doctor.checks.CHECKS", quick)
    assert main(["doctor", "--store-dir", str(tmp_path / "store")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"problem  store        {tmp_path}/store is not a folder"
    assert lines[1].strip() == "→ set IG_CAM_STORE_DIR to one"
    assert lines[2].startswith("ok       clock ")


def test_a_bad_setting_is_exit_code_2() -> None:
    assert main(["doctor", "--W", "0"]) == 2


def test_a_check_that_fails_is_a_problem_and_the_others_go_on(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Settings) -> Finding:
        raise ZeroDivisionError("of\nall things")

    monkeypatch.setattr(
        "marketcam.server.doctor.checks.CHECKS", {"one": fail, "tls": listening.check_tls}
    )
    first, second = examine(settings())
    assert (first.check, first.state) == ("one", "problem")
    assert first.text == "could not be checked: ZeroDivisionError: of all things"
    assert second.state == "ok"


def test_a_port_in_use_and_by_whom(settings: Callable[..., Settings]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finding = listening.check_port(settings(port=port))
        assert finding.state == "problem"
        assert f"cannot listen at 127.0.0.1:{port}" in finding.text
        assert f"by process {os.getpid()} (" in finding.text
    assert listening.check_port(settings(port=port)).state == "ok"


def test_an_address_of_another_machine(settings: Callable[..., Settings]) -> None:
    finding = listening.check_port(settings(host="192.0.2.1"))
    assert (finding.state, "cannot assign" in finding.text) == ("problem", True)


def make_certificate(folder: Path, name: str, days: int) -> dict[str, Path]:
    """Make one that ends in so many days, or so many ago, and began 30 days before that."""
    end = datetime.now(UTC) + timedelta(days=days)
    dates = [f"{moment:%Y%m%d%H%M%SZ}" for moment in (end - timedelta(days=30), end)]
    key, request, cert = (folder / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
    (folder / "index").write_text("")
    (folder / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=x\n[x]\ndatabase={folder}/index\nnew_certs_dir={folder}\n"
        "default_md=sha256\npolicy=y\nrand_serial=yes\n[y]\ncommonName=supplied\n"
    )
    ask = (
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
        f"-subj /CN={name} -keyout {key} -out {request}"
    )
    sign = (
        f"openssl ca -batch -selfsign -config {folder}/ca.cnf -keyfile {key} -in {request} "
        f"-out {cert} -notext -startdate {dates[0]} -enddate {dates[1]}"
    )
    for command in (ask, sign):
        subprocess.run(command.split(), check=True, capture_output=True)
    key.chmod(0o600)
    return {"tls_cert": cert, "tls_key": key}


@pytest.mark.parametrize(
    ("days", "state", "text"),
    [
        (20, "ok", "good for 20 days"),
        (5, "warning", "ends in 5 days"),
        (-1, "problem", "certificate has expired"),
        (40, "problem", "certificate is not yet valid"),
    ],
)
def test_the_dates_of_a_certificate(
    settings: Callable[..., Settings], tmp_path: Path, days: int, state: str, text: str
) -> None:
    finding = listening.check_tls(settings(**make_certificate(tmp_path, "one", days)))
    assert (finding.state, text in finding.text) == (state, True), finding


def test_a_key_of_another_certificate_or_for_everybody(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    one, two = (make_certificate(tmp_path, name, 20) for name in ("one", "two"))
    finding = listening.check_tls(settings(**(one | {"tls_key": two["tls_key"]})))
    assert (finding.state, "mismatch" in finding.text) == ("problem", True)
    finding = listening.check_tls(settings(**(one | {"tls_key": tmp_path / "none"})))
    assert (finding.state, "no such file" in finding.text) == ("problem", True)
    one["tls_key"].chmod(0o644)
    assert listening.check_tls(settings(**one)).state == "warning"


@pytest.mark.parametrize(
    ("token", "state"),
    [
        (RANDOM, "ok"),
        ("k3Jp_x9Wq7Zr-Lm2", "ok"),
        ("a" * 40, "warning"),
        ("abcabcabcabcabcabc", "warning"),
        ("abcdefghijklmnopqrstuvwxyz", "warning"),
        ("password12345678", "warning"),
    ],
)
def test_tokens_that_could_be_guessed(
    settings: Callable[..., Settings], token: str, state: str
) -> None:
    assert listening.check_tokens(settings(read_token=token)).state == state


def test_who_reaches_the_port(settings: Callable[..., Settings], tmp_path: Path) -> None:
    paths = {"tls_cert": tmp_path / "cert", "tls_key": tmp_path / "key"}
    for given, state in (
        ({"host": "localhost"}, "ok"),
        ({"host": "0.0.0.0"}, "warning"),
        ({"host": "0.0.0.0", "read_token": RANDOM}, "warning"),
        ({"host": "0.0.0.0", "read_token": RANDOM} | paths, "ok"),
    ):
        assert listening.check_openness(settings(**given)).state == state


@pytest.mark.parametrize(
    ("given", "state", "text"),
    [
        ({"scenario": "ecology"}, "ok", "the embedded market, ecology"),
        ({"ingest_token": RANDOM}, "ok", "a producer, at /ws/ingest"),
        ({"ticks": "-"}, "ok", "nothing is read from it"),
        ({"ticks": "-", "ticks_run": "x"}, "problem", "a run can be named of a store's ticks only"),
        ({"ticks": "/no/ticks.jsonl"}, "problem", "/no/ticks.jsonl: no such file"),
        ({"simulator": "no_module:Market"}, "problem", "No module named 'no_module'"),
        ({"simulator": "random:Market"}, "problem", "Market"),
    ],
)
def test_a_source_that_cannot_be_opened(
    settings: Callable[..., Settings], given: dict[str, Any], state: str, text: str
) -> None:
    finding = outside.check_source(settings(**given))
    assert (finding.state, text in finding.text) == (state, True), finding


def test_a_source_is_opened_and_left_as_it_was(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    ticks = tmp_path / "ticks.jsonl"
    ticks.write_text("no tick\n")
    simulator = {"simulator": FAKE_NAME, "simulator_path": FAKE_FOLDER}
    with clean_slate():
        for given in ({"ticks": str(ticks)}, simulator):
            assert outside.check_source(settings(**given)).text.endswith("can be opened")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert outside.check_source(settings(ticks=str(pipe))).state == "ok"


def test_an_address_that_no_webhook_has(settings: Callable[..., Settings]) -> None:
    finding = outside.check_webhook(settings(webhook_url="http://example.org:99999/"))
    assert (finding.state, "IG_WEBHOOK_URL must be" in finding.text) == ("problem", True)
    finding = outside.check_webhook(settings(webhook_url="http://u:pw@example.org/secret"))
    assert (finding.state, "posted to example.org" in finding.text) == ("ok", True)
    assert outside.check_webhook(settings()).text == "off"


@pytest.fixture(scope="module")
def nats_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats"), authorization={"token": RANDOM}) as server:
        yield server


def test_nats_that_answers(
    settings: Callable[..., Settings], nats_of: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "_PATIENCE_SECONDS", PATIENCE)
    several = f"nats://127.0.0.1:1,{nats_of.url}"
    assert outside.check_nats(settings(nats=several, nats_token=RANDOM)).state == "ok"
    assert outside.check_nats(settings()).text == "off"


def test_nats_that_cannot_be_used(
    settings: Callable[..., Settings], nats_of: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "_PATIENCE_SECONDS", 1.0)
    for given, text in (
        ({"nats": "nats://127.0.0.1:1"}, "connection refused"),
        ({"nats": nats_of.url}, "authorization"),
    ):
        finding = outside.check_nats(settings(**given))
        assert (finding.state, text in finding.text) == ("warning", True), finding


def test_nats_without_jetstream(
    settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "_PATIENCE_SECONDS", 1.0)
    with nats_server(tmp_path, jetstream=False) as plain:
        finding = outside.check_nats(settings(nats=plain.url))
    assert (finding.state, "JetStream is not to be had" in finding.text) == ("warning", True)


def test_files_of_nats_that_are_not_there(settings: Callable[..., Settings]) -> None:
    finding = outside.check_nats(settings(nats="tls://127.0.0.1:1", nats_ca="/no/ca.pem"))
    assert (finding.state, "/no/ca.pem: no such file" in finding.text) == ("problem", True)


def test_a_store_that_is_being_written(settings: Callable[..., Settings], tmp_path: Path) -> None:
    with StoreLock(tmp_path / "store"):
        finding = storing.check_lock(settings())
    assert (finding.state, f"process {os.getpid()} writes" in finding.text) == ("problem", True)
    assert storing.check_lock(settings()).state == "ok"


def test_a_store_where_no_file_can_be_made(settings: Callable[..., Settings]) -> None:
    nowhere = settings(store_dir="/proc/store")  # root may write anywhere else
    for check in (storing.check_store, storing.check_disk_speed):
        finding = check(nowhere)
        assert (finding.state, "write to /proc: " in finding.text) == ("problem", True)


def test_a_disk_that_is_too_slow_or_too_full(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    much = settings(agents=10_000, tick_rate=100, stride=1)
    monkeypatch.setattr(storing, "measured", lambda _: storing.Speed(20e6, 0.01))
    assert storing.check_disk_speed(much).state == "problem"
    assert storing.check_disk_speed(settings()).state == "ok"
    monkeypatch.setattr(storing, "measured", lambda _: storing.Speed(20e6, 7.0))
    assert storing.check_disk_speed(settings()).state == "warning"
    assert storing.check_disk_room(settings(disk_start_pct=1, disk_target_pct=1)).state == "warning"
    assert "lasts" in storing.check_disk_room(settings(disk_start_pct=100)).text


def test_what_a_market_that_grows_will_write_is_told_of_its_first_agents(
    settings: Callable[..., Settings],
) -> None:
    for check in (storing.check_disk_room, storing.check_disk_speed):
        growing = check(settings(agents=5, disk_start_pct=100))
        assert "MB/s with the first 5 agents, and more as" in growing.text
        bounded = check(settings(agents=5, max_agents=9, disk_start_pct=100))
        assert "MB/s" in bounded.text
        assert "agents" not in bounded.text


def test_what_is_written_is_at_most_what_is_said(settings: Callable[..., Settings]) -> None:
    """2,000 edges and 74 nodes are 196 KB of JSON, a sixth of it on disk: 330 KB/s at most."""
    rate = storing.written_a_second(settings(agents=74, tick_rate=100))
    assert rate is not None
    assert 330e3 < rate < 1e6
    assert storing.written_a_second(settings(tick_rate=0)) is None
    assert storing.written_a_second(settings(ticks="-")) is None


def test_kernels_that_are_compiled_and_that_cannot_be_kept(
    settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert storing.check_kernels(settings()).state == "ok"
    monkeypatch.setattr("marketcam.engine.kernel_cache.KernelFiles.has", lambda *_: False)
    monkeypatch.setattr("marketcam.engine.kernel_cache.cache_folders", lambda _: [])
    finding = storing.check_kernels(settings())
    assert (finding.state, finding.text[:5]) == ("warning", "0 of ")


def test_too_few_files(settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (512, 1024))
    finding = machine.check_files(settings(max_connections=1000))
    assert finding.state == "warning"
    assert "room for 768 of 1000 connections" in finding.text
    assert "LimitNOFILE=1256" in finding.remedy
    assert machine.check_files(settings(max_connections=768)).state == "ok"


def test_agents_beyond_the_budget(settings: Callable[..., Settings]) -> None:
    finding = machine.check_room(settings(agents=50_000))
    assert (finding.state, "50000" in finding.text or "MiB" in finding.text) == ("problem", True)
    assert machine.check_room(settings(agents=50_000, proximity="neighbors")).state == "ok"


@pytest.mark.parametrize(
    ("free", "state"), [(2**40, "ok"), (2**30, "warning"), (2**20, "problem"), (None, "warning")]
)
def test_memory(
    settings: Callable[..., Settings],
    monkeypatch: pytest.MonkeyPatch,
    free: int | None,
    state: str,
) -> None:
    monkeypatch.setattr(machine, "_free_bytes", lambda: free)
    assert machine.check_memory(settings()).state == state


def test_memory_counts_what_waits_for_nats(settings: Callable[..., Settings]) -> None:
    plain, more = (
        machine.check_memory(settings(**each)).text for each in ({}, {"nats": "nats://a"})
    )
    counted = [int(text.partition(" MiB free, ")[2].partition(" MiB")[0]) for text in (plain, more)]
    assert counted[1] - counted[0] == settings().nats_queue_bytes // 2**20


def test_what_is_not_installed(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = ["numpy>=2.0", "numba>=99", "no-such-thing>=1.0", "absent>=1 ; extra == 'arrow'"]
    monkeypatch.setattr(machine, "requires", lambda _: needed)
    finding = machine.check_python(settings())
    assert finding.state == "problem"
    assert finding.text.startswith("numba is ")
    assert finding.text.endswith("not 99 or newer; no-such-thing is not installed")


def test_a_clock_that_is_wrong_or_moved(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert machine.check_clock(settings()).state == "ok"
    moments = iter([0.0, 3600.0])
    with monkeypatch.context() as patch:
        patch.setattr(machine.time, "time", lambda: next(moments))
        finding = machine.check_clock(settings())
    assert (finding.state, "the date moved by +3599" in finding.text) == ("warning", True)

    class Reset(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Reset:
            return cls(1970, 1, 1, tzinfo=tz)

    monkeypatch.setattr(machine, "datetime", Reset)
    finding = machine.check_clock(settings())
    assert (finding.state, "1970-01-01" in finding.text) == ("problem", True)
