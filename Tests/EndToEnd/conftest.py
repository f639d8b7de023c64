# SPDX-License-Identifier: Apache-2.0
"""The release binary, its two simulators, and the environment of the original connector."""
from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.broker import Broker
from support.enrichment import Enrichment
from support.flow import Flow
from support.harfanglab import Console
from support.program import Program, Sallyport
from support.secrets import assert_no_secret
from support.simulators import (
    CLIENT_ID, CLIENT_SECRET, CONNECTOR_ID, STREAM_ID, TOKEN, VMRAY_KEY, VMRAY_VERDICT_KEY, CrowdSecSimulator,
    FalconSimulator, OpenCTISimulator, VMRaySimulator)

ROOT = Path(__file__).resolve().parents[2]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep-logs", action="store_true", help="keep each test's logs in .build/end-to-end")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    count = {name: len(terminalreporter.getreports(name)) for name in ("passed", "failed", "error", "skipped", "xfailed")}
    terminalreporter.write_line(
        f"\n{count['passed']} passed, {count['failed'] + count['error']} failed, {count['skipped'] + count['xfailed']} skipped")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A skipped test fails the run: nothing in this suite is optional."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == 0 and reporter and (reporter.getreports("skipped") or reporter.getreports("xfailed")):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def binary() -> Path:
    path = Path(os.environ.get("SALLYPORT_BINARY", ROOT / ".build/release/sallyport")).resolve()
    assert path.exists(), f"{path} is missing: run `make release`"
    return path


def simulator(name: str, binary: Path, folder: Path, *options: str) -> Iterator[dict[str, Any]]:
    """Starts one; gives what it says of itself when it is ready."""
    program = Program(
        [str(binary), "simulate", name, "--port", "0", "--json", *options], {"PATH": os.defpath, "HOME": str(folder)}, folder,
        folder / name)
    try:
        yield program.first_json_line()
    finally:
        program.kill()


# Simulators are started once: every test begins by resetting the ones it uses.


@pytest.fixture(scope="session")
def opencti_server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenCTISimulator]:
    for ready in simulator("opencti", binary, tmp_path_factory.mktemp("opencti")):
        yield OpenCTISimulator(ready)


@pytest.fixture(scope="session")
def falcon_server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FalconSimulator]:
    for ready in simulator("falcon", binary, tmp_path_factory.mktemp("falcon")):
        yield FalconSimulator(ready)


@pytest.fixture(scope="session")
def crowdsec_server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrowdSecSimulator]:
    for ready in simulator("crowdsec", binary, tmp_path_factory.mktemp("crowdsec")):
        yield CrowdSecSimulator(ready)


@pytest.fixture(scope="session")
def broker_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("rabbitmq"))
    try:
        broker.start()
        yield broker
    finally:
        broker.end()


@pytest.fixture(scope="session")
def bus_server(
    binary: Path, broker_server: Broker, tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OpenCTISimulator]:
    """A platform that uses the broker."""
    for ready in simulator(
            "opencti", binary, tmp_path_factory.mktemp("bus"), "--amqp-port", str(broker_server.port)):
        yield OpenCTISimulator(ready)


@pytest.fixture
def enrichment(sallyport: Sallyport, bus_server: OpenCTISimulator, crowdsec: CrowdSecSimulator) -> Enrichment:
    """CrowdSec's connector over RabbitMQ."""
    bus_server.reset()
    return Enrichment(sallyport, bus_server, crowdsec)


@pytest.fixture
def callback_enrichment(sallyport: Sallyport, opencti: OpenCTISimulator, crowdsec: CrowdSecSimulator) -> Enrichment:
    """The same without a broker: requests come over HTTP, bundles go through the API."""
    return Enrichment(sallyport, opencti, crowdsec)


@pytest.fixture
def crowdsec(crowdsec_server: CrowdSecSimulator) -> CrowdSecSimulator:
    crowdsec_server.reset()
    return crowdsec_server


@pytest.fixture(scope="session")
def console_server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    for ready in simulator("harfanglab", binary, tmp_path_factory.mktemp("harfanglab")):
        yield Console(ready)


@pytest.fixture
def console(console_server: Console) -> Console:
    console_server.reset()
    return console_server


@pytest.fixture(scope="session")
def vmray_server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VMRaySimulator]:
    for ready in simulator("vmray", binary, tmp_path_factory.mktemp("vmray")):
        yield VMRaySimulator(ready)


@pytest.fixture
def vmray(vmray_server: VMRaySimulator) -> VMRaySimulator:
    vmray_server.reset()
    vmray_server.settings(keys=[VMRAY_KEY], verdict_keys=[VMRAY_VERDICT_KEY], analysis_ms=50)
    return vmray_server


@pytest.fixture
def opencti(opencti_server: OpenCTISimulator) -> OpenCTISimulator:
    opencti_server.reset()
    # The end of a recovery is told by heartbeats: the platform's own pace would only cost time.
    opencti_server.settings(heartbeat_ms=50)
    return opencti_server


@pytest.fixture
def falcon(falcon_server: FalconSimulator) -> FalconSimulator:
    falcon_server.reset()
    return falcon_server


@pytest.fixture
def sallyport(binary: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Sallyport]:
    """The program. After each test, nothing that it wrote may hold a secret."""
    program = Sallyport(binary, tmp_path / "home")
    yield program
    program.stop_all()
    if request.config.getoption("--keep-logs"):
        shutil.copytree(program.logs, ROOT / ".build/end-to-end" / request.node.name, dirs_exist_ok=True)
    assert_no_secret([program.logs, program.folder / "state"])


@pytest.fixture
def environment(opencti: OpenCTISimulator, falcon: FalconSimulator, sallyport: Sallyport) -> dict[str, str]:
    """What the original's compose file sets, pointed at the simulators, and a folder of our own for the state."""
    return {
        "OPENCTI_URL": opencti.url,
        "OPENCTI_TOKEN": TOKEN,
        "CONNECTOR_ID": CONNECTOR_ID,
        "CONNECTOR_NAME": "CrowdStrike Endpoint Security",
        "CONNECTOR_SCOPE": "crowdstrike-endpoint-security",
        "CONNECTOR_LOG_LEVEL": "info",
        "CONNECTOR_LIVE_STREAM_ID": STREAM_ID,
        "CONNECTOR_LIVE_STREAM_LISTEN_DELETE": "true",
        "CONNECTOR_LIVE_STREAM_NO_DEPENDENCIES": "true",
        "CROWDSTRIKE_API_BASE_URL": falcon.url,
        "CROWDSTRIKE_CLIENT_ID": CLIENT_ID,
        "CROWDSTRIKE_CLIENT_SECRET": CLIENT_SECRET,
        "SALLYPORT_STATE_DIR": str(sallyport.folder / "state"),
    }


@pytest.fixture
def flow(
    sallyport: Sallyport, environment: dict[str, str], opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> Flow:
    return Flow(sallyport, environment, opencti, falcon)


@pytest.fixture
def pycti_environment(opencti: OpenCTISimulator) -> dict[str, str]:
    """For a connector built on the platform's own library."""
    return {
        "PATH": os.environ["PATH"],
        "OPENCTI_URL": opencti.url,
        "OPENCTI_TOKEN": TOKEN,
        "CONNECTOR_ID": CONNECTOR_ID,
        "CONNECTOR_NAME": "pycti",
        "CONNECTOR_TYPE": "STREAM",
        "CONNECTOR_SCOPE": "all",
        "CONNECTOR_LOG_LEVEL": "error",
        "CONNECTOR_LIVE_STREAM_ID": STREAM_ID,
        "CONNECTOR_LIVE_STREAM_LISTEN_DELETE": "true",
        "CONNECTOR_LIVE_STREAM_NO_DEPENDENCIES": "true",
    }
