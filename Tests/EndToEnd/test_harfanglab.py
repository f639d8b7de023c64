# SPDX-License-Identifier: Apache-2.0
"""Both directions of HarfangLab: the release binary between the simulated platform and the simulated console."""
from __future__ import annotations

import signal
from pathlib import Path

import pytest

from support.feed import Feed, Indicator
from support.flow import free_port
from support.harfanglab import CONSOLE_TOKEN, Console
from support.program import Program, Sallyport
from support.simulators import CONNECTOR_ID, STREAM_ID, TOKEN, OpenCTISimulator


@pytest.fixture
def intel(opencti: OpenCTISimulator, console: Console, sallyport: Sallyport) -> dict[str, str]:
    return {
        "OPENCTI_URL": opencti.url, "OPENCTI_TOKEN": TOKEN, "CONNECTOR_ID": CONNECTOR_ID,
        "CONNECTOR_NAME": "HarfangLab Intel", "CONNECTOR_SCOPE": "harfanglab",
        "CONNECTOR_LIVE_STREAM_ID": STREAM_ID, "HARFANGLAB_INTEL_URL": console.url,
        "HARFANGLAB_INTEL_TOKEN": CONSOLE_TOKEN, "HARFANGLAB_INTEL_SOURCE_LIST_NAME": "from_OpenCTI",
        "HARFANGLAB_INTEL_REMOVE_INDICATOR": "true", "HARFANGLAB_INTEL_RULE_MATURITY": "stable",
        "SALLYPORT_STATE_DIR": str(sallyport.folder / "state"), "SALLYPORT_GUARDRAILS": "off",
    }


@pytest.fixture
def incidents(opencti: OpenCTISimulator, console: Console, sallyport: Sallyport) -> dict[str, str]:
    return {
        "OPENCTI_URL": opencti.url, "OPENCTI_TOKEN": TOKEN, "CONNECTOR_ID": CONNECTOR_ID,
        "CONNECTOR_NAME": "HarfangLab Incidents", "CONNECTOR_SCOPE": "harfanglab", "CONNECTOR_QUEUE_PROTOCOL": "api",
        "CONNECTOR_DURATION_PERIOD": "PT1S", "HARFANGLAB_INCIDENTS_URL": console.url,
        "HARFANGLAB_INCIDENTS_TOKEN": CONSOLE_TOKEN,
        "SALLYPORT_STATE_DIR": str(sallyport.folder / "state"),
    }


def start(sallyport: Sallyport, connector: str, environment: dict[str, str]) -> Program:
    return sallyport.start(
        "run", "--connector", connector,
        env={**environment, "SALLYPORT_HTTP_LISTEN": f"127.0.0.1:{free_port()}"})


def feed_of(count: int) -> Feed:
    feed = Feed()
    for number in range(count):
        feed.create(Indicator(number, kind="domain"))
    return feed


# covers: intel:kill, intel:replay
def test_rules_survive_a_kill_loop(
    sallyport: Sallyport, intel: dict[str, str], opencti: OpenCTISimulator, console: Console,
) -> None:
    feed = feed_of(200)
    opencti.load(feed.events)
    console.fault("status", 503, times=20, probability=0.2, path="/api/data/threat_intelligence/IOCRule/")
    wanted = {("domain_name", Indicator(number, kind="domain").value) for number in range(200)}
    for _ in range(3):
        program = start(sallyport, "harfanglab-intel", intel)
        before = console.calls("create_IOCRule", 201)
        program.wait_until(lambda: console.calls("create_IOCRule", 201) > before or console.values() == wanted, "a rule")
        program.signal(signal.SIGKILL)
        program.wait()
    program = start(sallyport, "harfanglab-intel", intel)
    # All rules may stand from before: a program that has not come up yet takes no signal yet either.
    program.wait_until(lambda: "The source lists are ready" in program.err, "it is there")
    program.wait_until(lambda: console.values() == wanted, "all rules")
    assert program.stop() == 0


# covers: intel:sources
def test_source_lists_are_made_once(
    sallyport: Sallyport, intel: dict[str, str], console: Console,
) -> None:
    for run in range(2):
        program = start(sallyport, "harfanglab-intel", intel)
        program.wait_until(lambda run=run: console.calls("list_YaraSource") > run, "the lists")
        assert program.stop() == 0
    assert [console.calls(f"create_{name}Source", 201) for name in ("IOC", "Sigma", "Yara")] == [1, 1, 1]


# covers: incidents:end-to-end, incidents:status-sync, incidents:overlap
def test_events_reach_the_platform_and_a_status_follows(
    sallyport: Sallyport, incidents: dict[str, str], opencti: OpenCTISimulator, console: Console,
) -> None:
    console.post("alerts/generate", {"count": 150})
    program = start(sallyport, "harfanglab-incidents", incidents)
    state = program.wait_until(lambda: (opencti.connector_state() or {}).get("last_incident_datetime"), "the first run")
    assert state.startswith("20")
    pushes = opencti.calls("stixBundlePush", 200)
    assert pushes >= 2
    alert = console.lines("alerts")[3]["id"]
    console.post("alerts/status", {"id": alert, "status": "false_positive"})
    program.wait_until(lambda: opencti.calls("stixBundlePush", 200) > pushes, "the changed status")
    assert program.stop() == 0


# covers: incidents:outage
def test_an_outage_of_the_console_loses_nothing(
    sallyport: Sallyport, incidents: dict[str, str], opencti: OpenCTISimulator, console: Console,
) -> None:
    console.post("alerts/generate", {"count": 30})
    console.fault("status", 503, times=4, path="/api/data/alert/alert/Alert")
    program = start(sallyport, "harfanglab-incidents", incidents)
    program.wait_until(lambda: (opencti.connector_state() or {}).get("last_incident_datetime"), "a run that succeeds")
    assert program.stop() == 0


# covers: key:CONNECTOR_RUN_AND_TERMINATE, key:CONNECTOR_DURATION_PERIOD
@pytest.mark.parametrize("once", [
    {"CONNECTOR_RUN_AND_TERMINATE": "true"}, {"CONNECTOR_DURATION_PERIOD": "0"}], ids=["run-and-terminate", "no-period"])
def test_one_run_then_the_process_ends(
    once: dict[str, str], sallyport: Sallyport, incidents: dict[str, str], opencti: OpenCTISimulator, console: Console,
) -> None:
    console.post("alerts/generate", {"count": 20})
    program = start(sallyport, "harfanglab-incidents", {**incidents, **once})
    assert program.wait() == 0, program.err
    assert (opencti.connector_state() or {})["last_incident_datetime"].startswith("20")
    assert opencti.calls("stixBundlePush", 200) >= 1


# covers: key:CONNECTOR_QUEUE_THRESHOLD
def test_a_run_is_left_out_while_too_much_waits(
    sallyport: Sallyport, incidents: dict[str, str], opencti: OpenCTISimulator, console: Console,
) -> None:
    opencti.settings(queue_bytes=600_000_000)
    console.post("alerts/generate", {"count": 20})
    program = start(sallyport, "harfanglab-incidents", incidents)
    # The first run is never left out.
    program.wait_until(lambda: (opencti.connector_state() or {}).get("last_incident_datetime"), "the first run")
    program.wait_until(lambda: "600 MB wait in the connector's queue" in program.err, "the second one is left out")
    asked = console.calls("list_Alert")
    pushed = opencti.calls("stixBundlePush", 200)
    console.post("alerts/generate", {"count": 5})
    opencti.settings(queue_bytes=0)
    program.wait_until(lambda: console.calls("list_Alert") > asked, "runs go on")
    program.wait_until(lambda: opencti.calls("stixBundlePush", 200) > pushed, "the new events")
    assert program.stop() == 0


# covers: rules:command
def test_rules_are_checked_on_the_command_line(sallyport: Sallyport, tmp_path: Path) -> None:
    rule = tmp_path / "rule.yar"
    rule.write_text("rule a { condition: tru }")
    assert sallyport.run("rule", "yara", str(rule)).status == 1
    rule.write_text("rule a { condition: true }")
    assert sallyport.run("rule", "yara", str(rule)).status == 0
