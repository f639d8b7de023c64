# SPDX-License-Identifier: Apache-2.0
"""Sandbox triage when its process is killed at any step, and when either side fails."""
from __future__ import annotations

from typing import Any

import pytest

from support.program import Sallyport
from support.simulators import FalconSimulator, VMRaySimulator
from support.triage import HOSTS, Triage, composite, sha256

SETTINGS = {
    "VMRAY_CONTAIN_HOST": "true", "VMRAY_CREATE_CASE": "true", "VMRAY_FIND_ANOTHER_HOST": "true",
    "VMRAY_ANALYSIS_JOB_TIMEOUT": "60"}
HASH = sha256("alpha")
LINK = "https://eu.cloud.vmray.com/samples/501"
ALERT, FILE = composite(1), f"{HOSTS[1]}_{HASH}"
END: dict[str, Any] = {
    "comments": {ALERT: [
        f"VMRay verdict for {HASH}: malicious. Report: {LINK}", f"Also ran on 1 other host(s): {HOSTS[7]}"]},
    "status": {ALERT: "in_progress"},
    "contained": [HOSTS[0], HOSTS[1], HOSTS[7]],
    "cases": [f"VMRay verdict malicious for {HASH}"],
    "iocs": {("sha256", HASH): "prevent", ("ipv4", "203.0.113.9"): "detect"},
    "files": {FILE: "quarantined"},
    "submissions": [HASH],
}


@pytest.fixture
def triage(sallyport: Sallyport, falcon: FalconSimulator, vmray: VMRaySimulator) -> Triage:
    vmray.settings(analysis_ms=0)
    triage = Triage(sallyport, falcon, vmray, dict(SETTINGS))
    triage.alert(1, "alpha")
    triage.quarantine("alpha", HOSTS[1])
    triage.sample("alpha")
    for host in HOSTS[0], HOSTS[1], HOSTS[7]:
        triage.host(host)
    triage.verdict("alpha", "malicious", iocs={"malicious": {
        "ips": [{"ip_address": "203.0.113.9", "domains": [], "verdict": "malicious"}]}})
    falcon.post("sightings", {"type": "sha256", "value": HASH, "devices": {HOSTS[0]: [], HOSTS[7]: []}})
    return triage


# Every request of a sample's way: whom it asks, how often that passes first.
READS = [
    ("falcon", "POST", "/alerts/combined/alerts/v1", 0), ("falcon", "GET", "/quarantine/queries/*", 0),
    ("falcon", "POST", "/quarantine/entities/*/GET/v1", 0), ("vmray", "GET", "/rest/system_info", 0),
    ("vmray", "GET", "/rest/sample/sha256/*", 0), ("falcon", "GET", "/samples/entities/samples/v3", 0),
    ("vmray", "GET", "/rest/submission/*", 0), ("vmray", "GET", "/rest/sample/sha256/*", 1),
    ("vmray", "GET", "/rest/analysis/submission/*", 0), ("vmray", "GET", "/rest/sample/*/iocs/*", 0),
    ("falcon", "POST", "/alerts/entities/alerts/v2", 0), ("falcon", "GET", "/iocs/combined/indicator/v1", 0), ("falcon", "GET", "/iocs/queries/indicators/devices/v1", 0),
]
WRITES = [
    ("vmray", "POST", "/rest/sample/submit", 0), ("falcon", "PATCH", "/alerts/entities/alerts/v3", 0),
    ("falcon", "POST", "/iocs/entities/indicators/v1", 0), ("falcon", "PATCH", "/quarantine/entities/*", 0),
    ("falcon", "POST", "/devices/entities/devices-actions/v2", 0), ("falcon", "POST", "/message-center/entities/case/v2", 0),
    ("falcon", "POST", "/devices/entities/devices-actions/v2", 1), ("falcon", "PATCH", "/alerts/entities/alerts/v3", 1),
]
# half_open: the request is not applied. stall: it is, and its answer does not come.
STEPS = [("half_open", *step) for step in READS + WRITES] + [("stall", *step) for step in WRITES]


def simulator(triage: Triage, name: str) -> FalconSimulator | VMRaySimulator:
    return triage.falcon if name == "falcon" else triage.vmray


# covers: triage:kill_at_each_step
@pytest.mark.parametrize(("kind", "side", "method", "path", "skip"), STEPS)
def test_killed_at_each_step_it_ends_the_same_with_each_effect_once(
    triage: Triage, kind: str, side: str, method: str, path: str, skip: int,
) -> None:
    asked = simulator(triage, side)
    asked.fault(kind, 1 if kind == "stall" else None, method=method, path=path, skip=skip)
    program = triage.start()
    program.wait_until(lambda: asked.faults_left() == 0, f"{method} {path} hangs")
    program.kill()
    asked.heal()
    again = triage.run()
    assert again.process.returncode == 0, again.err
    assert triage.picture() == END
    assert not triage.falcon.lines("violations")


# covers: triage:kill_while_waiting
def test_killed_while_an_analysis_runs_it_waits_for_the_same_one(triage: Triage) -> None:
    triage.verdict("alpha", "malicious", hangs=True, iocs={"malicious": {
        "ips": [{"ip_address": "203.0.113.9", "domains": [], "verdict": "malicious"}]}})
    program = triage.start()
    program.wait_until(lambda: triage.vmray.calls("jobs") > 0, "the analysis is waited for")
    program.kill()
    polls = triage.vmray.calls("submission")
    program = triage.start()
    program.wait_until(lambda: triage.vmray.calls("submission") > polls, "it is waited for again")
    assert program.stop() == 0
    assert len(triage.vmray.submissions()) == 1 and not triage.acts()


# covers: triage:fault_either_side, triage:expired_token
@pytest.mark.parametrize(("side", "kind", "argument", "rule"), [
    ("falcon", "status", 503, {"times": 2}), ("falcon", "status", 429, {"times": 2, "retry_after": 1}),
    ("falcon", "html", 502, {"times": 2}), ("falcon", "reset_after", None, {"method": "PATCH", "path": "/alerts/*"}),
    ("falcon", "reset_after", None, {"method": "POST", "path": "/devices/*-actions/*"}),
    ("falcon", "reset_after", None, {"method": "POST", "path": "/message-center/*"}),
    ("falcon", "reset_after", None, {"method": "POST", "path": "/iocs/*"}),
    ("falcon", "status", 503, {"method": "PATCH", "path": "/alerts/*", "times": 2}),
    ("falcon", "status", 429, {"method": "PATCH", "path": "/alerts/*", "times": 2, "retry_after": 1}),
    ("falcon", "reset_before", None, {"path": "/samples/*"}), ("falcon", "cut", 40, {"path": "/samples/*"}),
    ("vmray", "reset_after", None, {"method": "POST"}), ("vmray", "status", 503, {"method": "POST"}),
    ("vmray", "status", 503, {"path": "/rest/analysis/*"}), ("vmray", "status", 429, {"times": 2, "retry_after": 1}),
])
def test_a_fault_of_either_side_is_overcome_within_the_run(
    triage: Triage, side: str, kind: str, argument: int | None, rule: dict[str, Any],
) -> None:
    simulator(triage, side).fault(kind, argument, **rule)
    program = triage.run()
    assert program.process.returncode == 0, program.err
    assert simulator(triage, side).faults_left() == 0
    assert triage.picture() == END


# covers: triage:expired_token
def test_tokens_that_expire_in_the_middle_are_renewed(triage: Triage) -> None:
    triage.vmray.settings(analysis_ms=1200)
    program = triage.start()
    program.wait_until(lambda: triage.vmray.submissions(), "the sample is at VMRay")
    triage.falcon.expire_tokens()
    assert program.wait() == 0, program.err
    assert triage.picture() == END


# covers: triage:submission_lost
def test_a_submission_that_vmray_has_lost_begins_anew_in_the_next_run(triage: Triage) -> None:
    triage.verdict("alpha", None, hangs=True)
    program = triage.start()
    program.wait_until(lambda: triage.vmray.calls("jobs") > 0, "the analysis is waited for")
    program.kill()
    keys = triage.environment["VMRAY_API_KEY"]
    triage.vmray.reset()
    triage.vmray.settings(keys=[keys], analysis_ms=0)
    triage.verdict("alpha", "malicious", iocs={"malicious": {
        "ips": [{"ip_address": "203.0.113.9", "domains": [], "verdict": "malicious"}]}})
    lost = triage.run()
    assert lost.process.returncode == 1 and "no_sample_after_analysis=1" in lost.err, lost.err
    assert triage.run().process.returncode == 0
    assert triage.picture() == END


# covers: triage:effect_refused_run
def test_a_refused_comment_stops_no_other_effect_and_is_told(triage: Triage) -> None:
    triage.falcon.fault("status", 400, method="PATCH", path="/alerts/*", times=1)
    program = triage.run()
    assert program.process.returncode == 1
    assert "refused_effects=1" in program.err
    picture = triage.picture()
    assert picture["comments"][ALERT] == END["comments"][ALERT][1:]
    assert {**picture, "comments": None, "status": None} == {**END, "comments": None, "status": None}
    assert "dead_lettered" in triage.command("explain", HASH).out
    assert triage.run().process.returncode == 0
    assert triage.picture() == picture


# covers: triage:effect_failed_run
def test_what_falcon_can_not_be_told_now_is_told_in_the_next_run_once(triage: Triage) -> None:
    triage.falcon.fault("status", 403, method="PATCH", path="/alerts/*", times=2)
    program = triage.run()
    assert program.process.returncode == 1 and "effects_failed=1" in program.err, program.err
    assert triage.run().process.returncode == 0
    assert triage.picture() == END


# covers: triage:source_failed
def test_a_source_that_can_not_be_read_keeps_the_other_going(triage: Triage) -> None:
    triage.falcon.fault("status", 403, times=None, path="/quarantine/queries/*")
    program = triage.run()
    assert program.process.returncode == 1
    assert triage.picture()["comments"] == END["comments"]
    triage.falcon.heal()
    assert triage.run().process.returncode == 0
    # The file came later: its host has been dealt with as one of the sample's.
    assert {**triage.picture(), "contained": END["contained"]} == END
