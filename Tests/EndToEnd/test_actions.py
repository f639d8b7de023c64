# SPDX-License-Identifier: Apache-2.0
"""The response actions with the real program: by hand, and as Sekoia's platform starts them."""
from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from support.contract import CASES, judge_request
from support.program import Sallyport
from support.sekoia import SekoiaPlatform
from support.simulators import CLIENT_ID, CLIENT_SECRET, FalconSimulator

ACTIONS: list[dict[str, Any]] = json.loads((CASES / "falcon-actions.json").read_text(encoding="utf-8"))
DEVICES = json.loads((CASES / "falcon-devices.json").read_text(encoding="utf-8"))
HOST = "8c84a2247885263b597cc4685f4d1147"
OTHER = "bea3c04ccb1392117d4360e744ae0bc6"
ALERT = f"8f3c1d2e4b5a69788796a5b4c3d2e1f0:ind:{HOST}:8302912087-10357-27920"
POLICY = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
INDICATOR = "4a7730141b08cfb2e6057f94756f5387522b99d7f156193e8a870170c43a43e3"


@pytest.fixture
def tenant(falcon: FalconSimulator) -> FalconSimulator:
    """A tenant in which every example has something to work on."""
    falcon.post("entities/hosts", DEVICES["devices"])
    falcon.post("entities/alerts", [{
        "composite_id": ALERT, "id": ALERT.split(":", 1)[1], "cid": ALERT.split(":")[0], "agent_id": HOST,
        "status": "new", "severity": 70, "severity_name": "High"}])
    falcon.post("entities/incidents", [
        {"incident_id": f"inc:{HOST}:ff49f5b2f0aded095860d2c231ace104", "cid": ALERT.split(":")[0], "state": "open"}])
    falcon.post("entities/policies", [{
        "id": POLICY, "name": "Tier 0", "platform_name": "Windows", "enabled": False, "groups": [],
        "ioa_rule_groups": [], "prevention_settings": []}])
    falcon.load([{
        "id": INDICATOR, "type": "domain", "value": "old.example", "action": "detect", "severity": "high",
        "source": "Sekoia.io", "platforms": ["windows"], "applied_globally": True}])
    falcon.record()
    return falcon


def module(falcon: FalconSimulator, secret: str | None = CLIENT_SECRET) -> dict[str, str]:
    value = {"client_id": CLIENT_ID, "base_url": falcon.url, **({} if secret is None else {"client_secret": secret})}
    return {"MODULE_CONFIGURATION": json.dumps(value)}


def sent(falcon: FalconSimulator) -> list[dict[str, Any]]:
    return [request for request in falcon.requests() if not request["path"].startswith("/oauth2/")]


def judge(requests: list[dict[str, Any]]) -> None:
    for request in requests:
        judge_request(request["method"], request["path"], request.get("query") or {}, request.get("body") or None)


# covers: act:command-line, act:e2e
@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action["slug"])
def test_each_example_by_hand(action: dict[str, Any], tenant: FalconSimulator, sallyport: Sallyport) -> None:
    done = sallyport.run(
        "action", action["slug"], "--args", json.dumps(action["example"]["arguments"]), "--json", env=module(tenant))
    assert done.status == 0, done.err + done.out
    jsonschema.validate(done.json, action["result"]["schema"])
    requests = sent(tenant)
    judge(requests)
    assert requests, "the tenant was not asked"


# covers: act:docker-parameters, act:symphony
@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action["docker_parameter"])
def test_each_example_as_the_platform_starts_it(
    action: dict[str, Any], tenant: FalconSimulator, sallyport: Sallyport,
) -> None:
    arguments = base64.b64encode(json.dumps(action["example"]["arguments"]).encode()).decode()
    with SekoiaPlatform(CLIENT_SECRET) as platform:
        done = sallyport.run(action["docker_parameter"], env={
            **platform.environment, **module(tenant, secret=None), "ARGUMENTS": arguments})
        assert done.status == 0, done.err
        assert platform.reports[0] == {"status": "running", "need_secrets": True}
        assert platform.reports[-1]["status"] == "finished" and "error" not in platform.reports[-1]
        jsonschema.validate(platform.reports[-1]["results"], action["result"]["schema"])
        assert not platform.strangers


def test_flags_files_and_standard_input_say_the_same(tenant: FalconSimulator, sallyport: Sallyport, tmp_path: Path) -> None:
    # covers: act:flags
    arguments = {"filter": "platform_name:'Windows'", "sort": "hostname|asc", "limit": 2}
    (tmp_path / "args.json").write_text(json.dumps(arguments))
    env = module(tenant)
    ways = [
        sallyport.run("action", "query_devices_by_filter", "--json", "--args", f"@{tmp_path}/args.json", env=env),
        sallyport.run("action", "query_devices_by_filter", "--json", "--args", "-", env=env, stdin=json.dumps(arguments)),
        sallyport.run(
            "action", "query_devices_by_filter", "--json", "--filter", arguments["filter"], "--sort", "hostname.asc",
            "--limit", "2", env=env),
    ]
    assert [way.json for way in ways] == [ways[0].json] * 3 and len(ways[0].json["resources"]) == 2


def test_a_host_is_contained_once_and_released(tenant: FalconSimulator, sallyport: Sallyport) -> None:
    # covers: act:idempotent-hosts
    env = module(tenant)
    for _ in range(2):
        done = sallyport.run("action", "isolate_hosts", "--ids", f"{HOST},{OTHER}", "--json", env=env)
        assert done.status == 0 and {one["id"] for one in done.json["resources"]} == {HOST, OTHER}
    states = {host["device_id"]: host.get("status") for host in tenant.get("entities/hosts")}
    assert states[HOST] == states[OTHER] == "contained"
    assert sallyport.run("action", "deisolate_hosts", "--ids", HOST, env=env).status == 0


def test_what_fails_in_part_is_told_with_what_worked(tenant: FalconSimulator, sallyport: Sallyport) -> None:
    # covers: act:exit-codes
    env = module(tenant)
    partly = sallyport.run("action", "isolate_hosts", "--ids", HOST, "--ids", "nobody", "--json", env=env)
    assert partly.status == 1
    assert [one["id"] for one in partly.json["resources"]] == [HOST]
    assert [one["id"] for one in partly.json["errors"]] == ["nobody"]
    assert sallyport.run("action", "isolate_hosts", env=env).status == 2
    tenant.scopes("devices:read")
    refused = sallyport.run("action", "isolate_hosts", "--ids", HOST, env=env)
    assert refused.status == 4 and "Hosts: Write" in refused.err
    with SekoiaPlatform() as platform:
        tenant.scopes("devices:write", "devices:read")
        sallyport.run("isolate_hosts", env={
            **platform.environment, **env, "ARGUMENTS": json.dumps({"ids": [OTHER, "nobody"]})})
        last = platform.reports[-1]
        assert [one["id"] for one in last["results"]["resources"]] == [OTHER] and "nobody" in last["error"]


def test_a_dry_run_changes_nothing(tenant: FalconSimulator, sallyport: Sallyport) -> None:
    # covers: act:dry-run
    done = sallyport.run("action", "isolate_hosts", "--ids", HOST, "--dry-run", "--json", env=module(tenant))
    assert done.status == 0 and done.json["would_send"][0]["body"] == {"ids": [HOST]}
    assert {host.get("status") for host in tenant.get("entities/hosts") if host["device_id"] == HOST} == {"normal"}


def test_stix_indicators_from_the_data_path(tenant: FalconSimulator, sallyport: Sallyport, tmp_path: Path) -> None:
    # covers: push:file, push:own-only
    tenant.load([
        {"type": "domain", "value": "foreign.example", "action": "detect", "severity": "low", "source": "hand",
         "platforms": ["windows"], "applied_globally": True}])
    objects = [
        {"type": "indicator", "id": "indicator--1", "pattern_type": "stix",
         "pattern": "[domain-name:value = 'new.example' OR domain-name:value = 'old.example']"},
        {"type": "indicator", "id": "indicator--2", "pattern": "[domain-name:value = 'foreign.example']", "revoked": True},
    ]
    (tmp_path / "iocs.json").write_text(json.dumps(objects))
    done = sallyport.run(
        "action", "push_iocs_detect", "--stix-objects-path", str(tmp_path / "iocs.json"), "--json", env=module(tenant))
    assert done.status == 0, done.err
    values = {ioc["value"]: ioc for ioc in tenant.iocs()}
    assert set(values) == {"new.example", "old.example", "foreign.example"}, "what others made stays"
    assert values["new.example"]["source"] == "Sekoia.io" and values["new.example"]["tags"] == ["Sekoia.io"]
    judge(sent(tenant))


# covers: act:validation
def test_the_account_is_validated(tenant: FalconSimulator, sallyport: Sallyport) -> None:
    with SekoiaPlatform(CLIENT_SECRET) as platform:
        env = {**platform.environment, **module(tenant, secret=None)}
        assert sallyport.run("validate_module_configuration", env=env).status == 0
        assert platform.reports[0] == {"status": "running"}
        assert platform.reports[-1] == {"status": "finished", "results": {"success": True}}
    with SekoiaPlatform("wrong") as platform:
        env = {**platform.environment, **module(tenant, secret=None)}
        sallyport.run("validate_module_configuration", env=env)
        last = platform.reports[-1]
        assert last["results"] == {"success": False}
        assert last["error"].startswith("Failed to validate crowdstrike credentials due to HTTP error:")


# covers: act:check
def test_check_names_each_scope_and_what_needs_it(tenant: FalconSimulator, sallyport: Sallyport) -> None:
    tenant.scopes("devices:read", "ioc:read", "ioc:write", "alerts:read", "alerts:write", "prevention-policies:read",
                  "prevention-policies:write")
    before = tenant.get("entities/hosts")
    done = sallyport.run("check", "falcon-actions", "--json", env=module(tenant))
    lines = [line for line in done.json_lines if line["subject"] == "falcon.scope"]
    assert done.status == 4
    [problem] = [line for line in lines if line["verdict"] == "problem"]
    assert "Hosts: Write" in problem["text"] and "isolate_endpoints" in problem["text"]
    assert {line["verdict"] for line in lines if "Cases: Read" in line["text"]} == {"warning"}
    assert tenant.get("entities/hosts") == before, "a check changes nothing"


def test_an_action_that_nobody_knows(tenant: FalconSimulator, sallyport: Sallyport) -> None:
    # covers: act:unknown
    with SekoiaPlatform() as platform:
        done = sallyport.run("wipe_hosts", env={**platform.environment, **module(tenant)})
        assert done.status == 2
        assert "Could not find any Action or Trigger matching command 'wipe_hosts'" in done.err
