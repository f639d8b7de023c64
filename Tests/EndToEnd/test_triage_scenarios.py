# SPDX-License-Identifier: Apache-2.0
"""The scenarios of sandbox triage through the program itself. Those that begin with a stored state, and one that waits for a
minute, are proved on the whole connector in its own process (SandboxTriageTests, with all the others)."""
from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any

import pytest

from support.contract import CASES
from support.program import Sallyport
from support.simulators import VMRAY_VERDICT_KEY, FalconSimulator, VMRaySimulator
from support.triage import Triage, ago

FILE = json.loads((CASES / "vmray-scenarios.json").read_text())
WORDS = {digest: word for word, digest in FILE["words"].items()}
SCENARIOS = [case for case in FILE["scenarios"] if "state_before" not in case and case["name"] != "submit-429-for-ever"]
# Nobody waits for ten minutes here.
OTHER_SETTINGS = {"analysis-timeout": {"VMRAY_ANALYSIS_JOB_TIMEOUT": "1"}}
VARIABLES = {"SUBMIT_OR_DOWNLOAD_ERROR_OPEN_CASE": "VMRAY_ERROR_OPEN_CASE"}
Effects = dict[tuple[str, ...], set[str]]


def plain(text: str) -> str:
    """The simulator numbers samples in its own way."""
    return re.sub(r"Report: \S*", "Report: …", text)


def finding(digest: str, sample: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    vmray = case["vmray"]
    failed = any(vmray.get("submission_has_errors", {}).values()) or any(
        row["analysis_severity"] == "error" for rows in vmray["analyses"].values() for row in rows)
    iocs = {verdict: body["iocs"] for verdict, body in vmray["iocs"].get(str(sample["sample_id"]), {}).items()}
    other = {key: value for key, value in {"shown_sha256": sample["sample_sha256hash"]}.items() if value != digest}
    return {
        **other, "verdict": sample["sample_verdict"], "classifications": sample["sample_classifications"] or [],
        "threat_names": sample["sample_threat_names"] or [], "iocs": iocs, "fails": failed}


def load(case: dict[str, Any], triage: Triage) -> None:
    falcon, vmray = case["falcon"], case["vmray"]
    alerts = [{**alert, "created_timestamp": ago(minutes=5)} for alert in falcon["alerts"]]
    if made := falcon.get("alerts_generated"):
        alerts += [{
            "composite_id": made["composite_id"].replace("<n>", str(number)), "sha256": made["sha256"], "product": "epp",
            "status": made["status"], "created_timestamp": ago(minutes=5)} for number in range(made["numbers"][0], made["numbers"][1] + 1)]
    triage.falcon.post("entities/alerts", alerts)
    files = [{**file, "date_created": ago(minutes=4)} for file in falcon["quarantined_files"]]
    triage.falcon.post("entities/quarantined_files", files)
    hosts = {alert["device"]["device_id"] for alert in alerts if alert.get("device")} | {file["aid"] for file in files}
    for digest, seen in falcon["devices_ran_on"].items():
        hosts |= set(seen)
        triage.falcon.post("sightings", {"type": "sha256", "value": digest, "devices": {host: [] for host in seen}})
    for host in sorted(hosts):
        triage.host(host)
    triage.falcon.load([
        {**ioc, "action": "detect", "severity": "low", "platforms": ["windows"], "applied_globally": True}
        for ioc in falcon["existing_iocs"]])
    for digest, shape in falcon["sample_downloads"].items():
        content = {"content": WORDS[digest]}
        if shape == "inflates_too_large":
            content = {"bytes": 4 * case["config"]["MAX_SAMPLE_SIZE"], "seed": 1, "deflated": True}
        triage.falcon.post("samples", [{**content, "shape": shape, "sha256": digest}])
    for simulator, side, setting in (triage.falcon, falcon, "page_cap"), (triage.vmray, vmray, "page_size"):
        if cap := side.get("server_page_cap"):
            simulator.settings(**{setting: min(cap.values()) if isinstance(cap, dict) else cap})
    load_vmray(case, triage.vmray)


def load_vmray(case: dict[str, Any], simulator: VMRaySimulator) -> None:
    vmray = case["vmray"]
    simulator.settings(reanalyzes_known=case["config"].get("RESUBMIT", False))
    running = {row["submission_sample_sha256"]: row for rows in vmray.get("submissions_of_sample", {}).values() for row in rows}
    before = {digest: finding(digest, sample, case) for digest, sample in vmray["samples_before"].items()}
    simulator.know({digest: found for digest, found in before.items() if digest not in running})
    findings = {digest: finding(digest, sample, case) for digest, sample in vmray["samples_after"].items()}
    made = [
        {"submission_id": row["submission_id"], "sha256": digest, "created": ago(minutes=2), "ends": ago(seconds=-1)}
        for digest, row in running.items()]
    for digest, answer in vmray["submit"].items():
        found = findings.setdefault(digest, {"verdict": None, "hangs": True})
        if answer.get("errors"):
            found["rejection"] = answer["errors"][0]["error_msg"]
        # What the last of them accepts, the simulator accepts in its own way.
        found["answers"] = [
            line for line in answer.get("answers", []) if line["status"] != 200 or line["body"]["data"]["errors"]]
        for line in found["answers"]:
            for row in line["body"].get("data", {}).get("submissions", []):
                found["hidden"] = True
                made.append({
                    "submission_id": row["submission_id"], "sha256": digest, "created": ago(minutes=2), "ends": ago(minutes=1)})
    simulator.find(findings)
    simulator.submitted_before(made)


def wanted(case: dict[str, Any]) -> Effects:
    effects: Effects = defaultdict(set)
    for sample in case["expected"]:
        for effect in sample["effects"]:
            match effect["op"]:
                case "alert_update":
                    ids = set(effect.get("composite_ids", []))
                    if made := effect.get("composite_ids_generated"):
                        pattern = case["falcon"]["alerts_generated"]["composite_id"]
                        ids |= {pattern.replace("<n>", str(n)) for n in range(made["numbers"][0], made["numbers"][1] + 1)}
                    effects["alert", plain(effect["comment"]), effect["status"] or ""] |= ids
                case "ioc_create":
                    for ioc in effect["indicators"]:
                        effects["ioc", ioc["type"], ioc["action"], ioc["description"]].add(ioc["value"])
                case "quarantine_update":
                    effects["file", effect["action"], plain(effect["comment"])] |= set(effect["ids"])
                case "contain":
                    effects["contain", effect["note"]] |= set(effect["ids"])
                case "case_create":
                    effects["case", effect["api"]].add(plain(json.dumps(effect["request"], sort_keys=True)))
                # What is refused, or makes no jobs, stands in no list of the simulator.
                case "vmray_submit" if sample["outcome"] not in ("submit_failed", "quota") and case["name"] != "submit-no-jobs":
                    effects["submit",].add(sample["sha256"])
    return effects


def done(case: dict[str, Any], triage: Triage) -> Effects:
    effects: Effects = defaultdict(set)
    for act in triage.acts():
        body = act["body"]
        match act["operation"]:
            case "PatchEntitiesAlertsV3":
                values = {parameter["name"]: parameter["value"] for parameter in body["action_parameters"]}
                key = ("alert", plain(values["append_comment"]), values.get("update_status", ""))
                assert not effects[key] & set(body["composite_ids"]), "told twice"
                effects[key] |= set(body["composite_ids"])
            case "UpdateQuarantinedDetectsByIds":
                effects["file", body["action"], plain(body["comment"])] |= set(body["ids"])
            case "PerformActionV2":
                effects["contain", body["action_parameters"][0]["value"]] |= set(body["ids"])
            case "CreateCaseV2" | "entities_cases_put_v2":
                api = "message_center" if act["operation"] == "CreateCaseV2" else "cases"
                effects["case", api].add(plain(json.dumps(body, sort_keys=True)))
    there = {(ioc["type"], ioc["value"]) for ioc in case["falcon"]["existing_iocs"]}
    for ioc in triage.falcon.iocs():
        if (ioc["type"], ioc["value"]) not in there:
            effects["ioc", ioc["type"], ioc["action"], ioc["description"]].add(ioc["value"])
    for submission in triage.vmray.submissions():
        effects["submit",].add(submission["sha256"])
    return effects


# covers: triage:scenarios_program
@pytest.mark.parametrize("case", SCENARIOS, ids=[case["name"] for case in SCENARIOS])
def test_the_program_does_what_the_scenario_expects(
    sallyport: Sallyport, falcon: FalconSimulator, vmray: VMRaySimulator, case: dict[str, Any],
) -> None:
    vmray.settings(analysis_ms=0)
    triage = Triage(sallyport, falcon, vmray)
    load(case, triage)
    for key, value in case["config"].items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        triage.settings[VARIABLES.get(key, f"VMRAY_{key}")] = text
    if case["config"].get("API_KEY_TYPE") == "VERDICT":
        triage.settings["VMRAY_API_KEY"] = VMRAY_VERDICT_KEY
    program = triage.run(**OTHER_SETTINGS.get(case["name"], {}))
    found, expected = done(case, triage), wanted(case)
    assert {key: ids for key, ids in found.items() if ids} == {key: ids for key, ids in expected.items() if ids}, program.err
    outcomes = defaultdict(int)
    for sample in case["expected"]:
        outcomes[sample["outcome"]] += 1
    text = " ".join(f"{name}={count}" for name, count in sorted(outcomes.items()))
    assert f"samples={json.dumps(text) if ' ' in text or not text or '=' in text else text}" in program.err
    assert not falcon.lines("violations")
