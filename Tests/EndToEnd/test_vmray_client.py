# SPDX-License-Identifier: Apache-2.0
"""vmray-rest-api, the vendor's own Python client, must be content with the VMRay simulator in every call of ours."""
from __future__ import annotations

import hashlib
import io
import time
from typing import Any

import pytest
from vmray.rest_api import VMRayRESTAPI, VMRayRESTAPIError

from support.simulators import VMRAY_KEY, VMRAY_VERDICT_KEY, VMRaySimulator

ALPHA = hashlib.sha256(b"alpha").hexdigest()
FIELDS = {
    "comment": "Sample from VMRay CrowdStrike Connector", "tags": "CrowdStrike", "user_config": '{"timeout": 120}',
    "analyzer_mode": "reputation_static_dynamic",
}


@pytest.fixture
def client(vmray: VMRaySimulator) -> VMRayRESTAPI:
    return VMRayRESTAPI(vmray.url, VMRAY_KEY, connector_name="CrowdStrikeCloudConnector")


def submit(client: VMRayRESTAPI, content: bytes, name: str = ALPHA, **fields: Any) -> Any:
    file = io.BytesIO(content)
    file.name = name
    return client.call("POST", "/rest/sample/submit", params={**FIELDS, "sample_file": file, **fields})


def finished(client: VMRayRESTAPI, submission: int) -> dict[str, Any]:
    """Polls as a connector does, until the analysis has ended."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        answer = client.call("GET", f"/rest/submission/{submission}")
        if answer["submission_finished"]:
            return answer
    raise AssertionError("the submission never ends")


def test_a_file_is_submitted_analysed_and_reported(client: VMRayRESTAPI, vmray: VMRaySimulator) -> None:
    vmray.find({ALPHA: {
        "verdict": "malicious", "classifications": ["Backdoor"],
        "iocs": {"malicious": {"domains": [{"domain": "c2.example.net", "verdict": "malicious"}]}}}})
    assert client.call("GET", "/rest/system_info")["version"]
    assert client.call("GET", f"/rest/sample/sha256/{ALPHA}") == []
    answer = submit(client, b"alpha")
    assert answer["errors"] == [] and len(answer["jobs"]) == 1
    submission = answer["submissions"][0]["submission_id"]
    assert finished(client, submission)["submission_has_errors"] is False
    assert client.call("GET", f"/rest/job/submission/{submission}") == []
    assert [row["analysis_severity"] for row in client.call("GET", f"/rest/analysis/submission/{submission}")] == ["malicious"]
    [sample] = client.call("GET", f"/rest/sample/sha256/{ALPHA}")
    assert (sample["sample_verdict"], sample["sample_classifications"]) == ("malicious", ["Backdoor"])
    number = sample["sample_id"]
    assert client.call("GET", f"/rest/sample/{number}")["sample_sha256hash"] == ALPHA
    [known] = client.call("GET", f"/rest/submission/sample/{number}")
    assert known["submission_id"] == submission
    iocs = client.call("GET", f"/rest/sample/{number}/iocs/verdict/malicious")["iocs"]
    assert iocs["domains"][0]["domain"] == "c2.example.net"
    assert client.call("GET", f"/rest/sample/{number}/iocs/all_artifacts/True")["iocs"] == iocs
    assert client.call("GET", f"/rest/sample/{number}/vtis")["threat_indicators"]
    [line] = vmray.submissions()
    assert line["sha256"] == ALPHA and line["filename"] == ALPHA and {key: line[key] for key in FIELDS} == FIELDS


def test_a_list_is_read_over_all_its_pages(client: VMRayRESTAPI, vmray: VMRaySimulator) -> None:
    vmray.find({ALPHA: {"verdict": "clean", "fails": True}})
    vmray.settings(page_size=1)
    submission = submit(client, b"alpha")["submissions"][0]["submission_id"]
    assert finished(client, submission)["submission_has_errors"] is True
    severities = [row["analysis_severity"] for row in client.call("GET", f"/rest/analysis/submission/{submission}")]
    assert severities == ["not_suspicious", "error"]


def test_names_beyond_ascii_arrive(client: VMRayRESTAPI, vmray: VMRaySimulator) -> None:
    submit(client, b"bravo", name="übel.exe")
    assert vmray.submissions()[0]["filename"] == "übel.exe"


def test_refusals_are_those_of_the_vendor(client: VMRayRESTAPI, vmray: VMRaySimulator) -> None:
    vmray.know({ALPHA: {"verdict": "clean"}})
    assert submit(client, b"alpha")["errors"][0]["error_msg"] == "no jobs were created"
    assert submit(client, b"alpha", reanalyze=True)["errors"] == []
    vmray.settings(quota=1)
    with pytest.raises(VMRayRESTAPIError, match="quota") as refusal:
        submit(client, b"charlie")
    assert refusal.value.status_code == 400
    for key, path, status in (
            (VMRAY_VERDICT_KEY, "/rest/sample/501/iocs/verdict/malicious", 403), ("wrong", "/rest/system_info", 401),
            (VMRAY_KEY, "/rest/submission/None", 404)):
        with pytest.raises(VMRayRESTAPIError) as refusal:
            VMRayRESTAPI(vmray.url, key).call("GET", path)
        assert refusal.value.status_code == status


# covers: triage:simulator_vmray_strict
def test_fields_that_no_submission_has_are_refused_and_counted(client: VMRayRESTAPI, vmray: VMRaySimulator) -> None:
    with pytest.raises(VMRayRESTAPIError, match="colour"):
        submit(client, b"alpha", colour="red")
    submit(client, b"alpha", max_jobs=1)
    state = vmray.get("state")
    assert state["violations"] == ["Unknown parameter: colour"] and state["submissions"] == 1


def test_no_more_analyses_run_than_there_are_machines(client: VMRayRESTAPI, vmray: VMRaySimulator) -> None:
    vmray.settings(machines=2, analysis_ms=3_600_000)
    for number in range(5):
        submit(client, b"%d" % number)
    vmray.post("clock", {"now": "2099-01-01T00:00:00Z"})
    assert vmray.get("state")["most_running"] == 2
