# SPDX-License-Identifier: Apache-2.0
"""The scenarios of sandbox triage through the program itself. Those that begin with a stored state, or need answers that the
simulator does not give, are proved on the decisions alone (SandboxTriageTests)."""
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
ELSEWHERE = {
    "clean-of-another-hash", "known-in-progress", "analysis-timeout", "quota-400", "quota-in-200", "submit-429-then-ok",
    "submit-429-for-ever", "submit-no-jobs", "resubmit-malicious"}
SCENARIOS = [case for case in FILE["scenarios"] if "state_before" not in case and case["name"] not in ELSEWHERE]
VARIABLES = {"SUBMIT_OR_DOWNLOAD_ERROR_OPEN_CASE": "VMRAY_ERROR_OPEN_CASE"}
Effects = dict[tuple[str, ...], set[str]]


def plain(text: str) -> str:
    """The simulator numbers samples in its own way."""
    return re.sub(r"Report: \S*", "Report: …", text)


def finding(sample: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    vmray = case["vmray"]
    failed = any(vmray.get("submission_has_errors", {}).values()) or any(
        row["analysis_severity"] == "error" for rows in vmray["analyses"].values() for row in rows)
    iocs = {verdict: body["iocs"] for verdict, body in vmray["iocs"].get(str(sample["sample_id"]), {}).items()}
    return {
        "verdict": sample["sample_verdict"], "classifications": sample["sample_classifications"] or [],
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
    triage.vmray.know({digest: finding(sample, case) for digest, sample in vmray["samples_before"].items()})
    findings = {digest: finding(sample, case) for digest, sample in vmray["samples_after"].items()}
    for digest, answer in vmray["submit"].items():
        if answer.get("errors"):
            findings[digest] = {"verdict": None, "rejection": answer["errors"][0]["error_msg"]}
    triage.vmray.find(findings)


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
                # What is refused stands in no list of the simulator.
                case "vmray_submit" if sample["outcome"] != "submit_failed":
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
    program = triage.run()
    found, expected = done(case, triage), wanted(case)
    assert {key: ids for key, ids in found.items() if ids} == {key: ids for key, ids in expected.items() if ids}, program.err
    outcomes = defaultdict(int)
    for sample in case["expected"]:
        outcomes[sample["outcome"]] += 1
    text = " ".join(f"{name}={count}" for name, count in sorted(outcomes.items()))
    assert f"samples={json.dumps(text) if ' ' in text or not text or '=' in text else text}" in program.err
    assert not falcon.lines("violations")
