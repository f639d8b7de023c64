# SPDX-License-Identifier: Apache-2.0
"""falconpy must be content with what the Falcon simulator answers for detections, quarantine, sample archives and cases."""
from __future__ import annotations

import hashlib
import io
import json
import urllib.error
import urllib.request
import zipfile
from typing import Any

import falconpy
import pytest

from support.contract import judge_answer, model_alert
from support.simulators import CLIENT_ID, CLIENT_SECRET, FalconSimulator

CID = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
HOST = "aa11bb22cc33dd44ee55ff6600112233"
ALPHA = hashlib.sha256(b"alpha").hexdigest()
FILE = f"{HOST}_{ALPHA}"
Answer = dict[str, Any]


def composite(number: int) -> str:
    return f"{CID}:ind:{HOST}:{number}-10303-{number}"


@pytest.fixture
def auth(falcon: FalconSimulator) -> falconpy.OAuth2:
    falcon.settings(region="simulated")
    falcon.post("entities/alerts", [
        model_alert(
            composite(number), id=composite(number)[33:], cid=CID, agent_id=HOST, status="new", product="epp",
            aggregate_id=f"aggind:{HOST}:{number // 2}", created_timestamp=f"2026-06-15T11:0{number}:00Z", sha256=ALPHA,
            device={"device_id": HOST, "hostname": "PC1"})
        for number in range(5)])
    falcon.post("entities/quarantined_files", [{
        "id": FILE, "aid": HOST, "cid": CID, "sha256": ALPHA, "hostname": "PC1", "username": "u", "state": "quarantined",
        "date_created": "2026-06-15T11:21:00Z", "date_updated": "2026-06-15T11:21:00Z", "detect_ids": [], "alert_ids": [],
        "paths": [{"path": "C:\\\\a.exe", "filename": "a.exe", "state": "quarantined"}]}])
    return falconpy.OAuth2(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, base_url=falcon.url)


def rows(name: str, answer: Answer) -> Any:
    judge_answer(name, answer["status_code"], answer["body"])
    assert not answer["body"].get("errors"), answer["body"]
    return answer["body"].get("resources")


# covers: triage:simulator_falcon
def test_alerts_are_read_by_cursor_to_an_empty_page(auth: falconpy.OAuth2, falcon: FalconSimulator) -> None:
    alerts = falconpy.Alerts(auth_object=auth)
    falcon.settings(page_cap=2)
    question: dict[str, Any] = {
        "filter": "created_timestamp:>='2026-06-15T11:01:00Z'+product:'epp'", "sort": "created_timestamp|asc", "limit": 1000}
    seen: list[str] = []
    while found := rows("PostCombinedAlertsV1", page := alerts.get_alerts_combined(body=question)):
        assert len(found) <= 2
        seen += [alert["composite_id"] for alert in found]
        question["after"] = page["body"]["meta"]["pagination"]["after"]
    assert seen == [composite(number) for number in range(1, 5)]


# covers: triage:simulator_falcon
def test_files_in_quarantine_are_found_and_released(auth: falconpy.OAuth2, falcon: FalconSimulator) -> None:
    quarantine = falconpy.Quarantine(auth_object=auth)
    assert rows("QueryQuarantineFiles", quarantine.query_quarantine_files(
        filter="date_created:>'2026-06-15T11:00:00Z'", sort="date_created|asc", limit=5000)) == [FILE]
    assert not rows("QueryQuarantineFiles", quarantine.query_quarantine_files(filter="date_created:>'2026-06-16'"))
    [file] = rows("GetQuarantineFiles", quarantine.get_quarantine_files(ids=[FILE]))
    assert (file["sha256"], file["state"]) == (ALPHA, "quarantined")
    rows("UpdateQuarantinedDetectsByIds", quarantine.update_quarantined_detects_by_id(
        action="release", comment="harmless", ids=[FILE]))
    assert quarantine.get_quarantine_files(ids=[FILE])["body"]["resources"][0]["state"] == "released"
    assert quarantine.update_quarantined_detects_by_id(action="burn", ids=[FILE])["status_code"] == 400
    [act] = falcon.lines("acts")
    assert act["body"] == {"action": "release", "comment": "harmless", "ids": [FILE]}


# covers: triage:simulator_falcon_samples
@pytest.mark.parametrize("form", [
    {}, {"deflated": True}, {"descriptor": True}, {"deflated": True, "descriptor": True}])
def test_python_opens_the_archives(auth: falconpy.OAuth2, falcon: FalconSimulator, form: dict[str, Any]) -> None:
    samples = falconpy.SampleUploads(auth_object=auth)
    for content, size in ({"content": "alpha"}, 5), ({"bytes": 200_000, "seed": 3, "text": True}, 200_000):
        answer = json.loads(falcon.ask("POST", "samples", [{**content, **form}]))
        [sha256] = answer["sha256"]
        with zipfile.ZipFile(io.BytesIO(samples.get_sample(ids=sha256, password_protected=True))) as archive:
            assert archive.namelist() == [sha256]
            plain = archive.read(sha256, pwd=b"infected")
        assert len(plain) == size and hashlib.sha256(plain).hexdigest() == sha256
        assert samples.get_sample(ids=sha256) == plain
    assert falcon.get("samples")["most_downloads"] >= 1
    assert samples.get_sample(ids="0" * 64, password_protected=True)["status_code"] == 404


# covers: triage:simulator_falcon_samples
@pytest.mark.parametrize(("shape", "complaint"), [
    ("wrong_password", "password|CRC|Bad"), ("truncated_archive", "zip file"), ("wrong_crc", "CRC|password"), ("aes", "compression"),
    ("not_a_zip", "zip file")])
def test_python_refuses_broken_archives(
    auth: falconpy.OAuth2, falcon: FalconSimulator, shape: str, complaint: str) -> None:
    falcon.post("samples", [{"content": "alpha", "shape": shape}])
    content = falconpy.SampleUploads(auth_object=auth).get_sample(ids=ALPHA, password_protected=True)
    with pytest.raises((zipfile.BadZipFile, RuntimeError, NotImplementedError), match=complaint):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.read(ALPHA, pwd=b"infected")


# covers: triage:simulator_falcon
def test_cases_of_both_kinds_are_opened_and_found(auth: falconpy.OAuth2, falcon: FalconSimulator) -> None:
    center = falconpy.MessageCenter(auth_object=auth)
    case = {
        "title": "VMRay verdict malicious", "body": "Report", "type": "fc:detection-support", "user_uuid": "u",
        "detections": [{"id": composite(1), "product": "epp", "url": "https://falcon"}], "incidents": []}
    [made] = rows("CreateCaseV2", center.create_case_v2(body=case))
    assert rows("QueryCasesIdsByFilter", center.query_cases(sort="case.created_time.desc", limit=500)) == [made["id"]]
    [found] = rows("GetCaseEntitiesByIDs", center.get_cases(ids=[made["id"]]))
    assert found["title"] == case["title"]
    assert center.create_case_v2(body={**case, "type": "fc:contact"})["status_code"] == 400
    # This release of falconpy has no class for the Cases API.
    token = {"Authorization": f"Bearer {auth.token_value}", "Content-Type": "application/json"}
    request = urllib.request.Request(
        f"{auth.base_url}/cases/entities/cases/v2", method="PUT", headers=token,
        data=json.dumps({"name": "n", "severity": 80, "status": "new", "tags": ["VMRAY"]}).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 201
    with urllib.request.urlopen(urllib.request.Request(
            f"{auth.base_url}/cases/queries/cases/v1?filter=name:'n'", headers=token), timeout=10) as answer:
        assert len(json.loads(answer.read())["resources"]) == 1
    assert [act["operation"] for act in falcon.lines("acts")] == ["CreateCaseV2", "entities_cases_put_v2"]


# covers: triage:simulator_falcon_detects
def test_the_detections_api_is_gone_unless_a_tenant_has_nothing_else(auth: falconpy.OAuth2, falcon: FalconSimulator) -> None:
    detects = falconpy.Detects(auth_object=auth)
    assert detects.query_detects(filter="")["status_code"] == 405
    assert detects.get_detect_summaries(ids=[f"ldt:{HOST}:1"])["status_code"] == 405
    falcon.settings(serves_detections=True, refuses_alerts=True)
    ids = rows("QueryDetects", detects.query_detects(filter="created_timestamp:>'2026-06-15T11:00:30Z'"))
    assert ids == [f"ldt:{HOST}:1", f"ldt:{HOST}:2"]
    [detection] = detects.get_detect_summaries(ids=ids[:1])["body"]["resources"]
    assert [one["sha256"] for one in detection["behaviors"]] == [ALPHA, ALPHA]
    rows("UpdateDetectsByIdsV2", detects.update_detects_by_ids(
        ids=ids[:1], comment="seen", status="in_progress", show_in_ui=True))
    [detection] = detects.get_detect_summaries(ids=ids[:1])["body"]["resources"]
    assert detection["status"] == "in_progress" and detection["comments"] == [{"value": "seen"}]
    assert falconpy.Alerts(auth_object=auth).query_alerts_v2()["status_code"] == 403


# covers: triage:simulator_falcon_contain
def test_a_containment_takes_its_time(auth: falconpy.OAuth2, falcon: FalconSimulator) -> None:
    falcon.post("entities/hosts", [{"device_id": HOST, "hostname": "PC1", "status": "normal"}])
    falcon.settings(containment_ms=60_000)
    falcon.post("clock", {"now": "2026-06-15T12:00:00Z"})
    auth.login()
    hosts = falconpy.Hosts(auth_object=auth)
    assert hosts.perform_action(
        action_name="contain", ids=[HOST], action_parameters=[{"name": "note", "value": "why"}])["status_code"] == 202

    def state() -> str:
        return hosts.post_device_details_v2(ids=[HOST])["body"]["resources"][0]["status"]

    assert state() == "containment_pending"
    falcon.post("clock", {"now": "2026-06-15T12:02:00Z"})
    assert state() == "contained"
    assert hosts.perform_action(action_name="lift_containment", ids=[HOST])["status_code"] == 202
    assert state() == "lift_containment_pending"


# covers: triage:simulator_falcon_strict
def test_what_the_contract_does_not_know_is_refused_and_counted(auth: falconpy.OAuth2, falcon: FalconSimulator) -> None:
    auth.login()
    for path, body in (
            ("/alerts/combined/alerts/v1", {"filter": "", "offset": 3}), ("/alerts/combined/alerts/v1", {"limit": "10"}),
            ("/message-center/entities/case/v2", {"title": "t"}), ("/alerts/entities/alerts/v2?ids=x", {"composite_ids": ["x"]})):
        request = urllib.request.Request(
            auth.base_url + path, method="POST", data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {auth.token_value}", "Content-Type": "application/json"})
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(request, timeout=10)
        assert refusal.value.code == 400
    assert len(falcon.lines("violations")) == 4
