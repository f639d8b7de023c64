# SPDX-License-Identifier: Apache-2.0
"""falconpy, the vendor's own Python client, must be content with the Falcon simulator in every IOC operation."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import falconpy
import pytest

from support.contract import ioc_operations, judge_answer
from support.simulators import CLIENT_ID, CLIENT_SECRET, FalconSimulator

HASH = "6a" * 32
Answer = dict[str, Any]


@pytest.fixture
def auth(falcon: FalconSimulator) -> falconpy.OAuth2:
    # A region that falconpy knows would send it to that cloud, away from the simulator.
    falcon.settings(region="simulated")
    return falconpy.OAuth2(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, base_url=falcon.url)


@pytest.fixture
def ioc(auth: falconpy.OAuth2) -> falconpy.IOC:
    return falconpy.IOC(auth_object=auth)


def body_of(name: str, answer: Answer) -> dict[str, Any]:
    judge_answer(name, answer["status_code"], answer["body"])
    assert not answer["body"].get("errors"), answer["body"]
    return answer["body"]


def new(value: str = "client.example", **fields: Any) -> dict[str, Any]:
    return {
        "type": "domain", "value": value, "action": "detect", "mobile_action": "detect", "severity": "high",
        "platforms": ["windows", "mac", "linux"], "applied_globally": True, "source": "falconpy", "tags": ["one"],
        **fields,
    }


def create(ioc: falconpy.IOC, *indicators: dict[str, Any]) -> list[dict[str, Any]]:
    answer = ioc.indicator_create(body={"comment": "test", "indicators": list(indicators)})
    return body_of("indicator_create_v1", answer)["resources"]


def drive_token(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    answer = auth.login()
    judge_answer("oauth2AccessToken", answer["status_code"], answer["body"])
    assert answer["body"]["token_type"].lower() == "bearer" and answer["body"]["expires_in"] > 300


def drive_revoke(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    auth.login()
    token = auth.token_value
    assert auth.logout()["status_code"] == 200
    refused = falconpy.IOC(access_token=token, base_url=auth.base_url).indicator_search()
    assert refused["status_code"] in (401, 403), "a revoked token must not work"


def drive_create(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    [made] = create(ioc, new())
    assert made["value"] == "client.example" and made["created_by"] == CLIENT_ID and made["deleted"] is False
    again = ioc.indicator_create(body={"comment": "test", "indicators": [new("other.example"), new()]})
    assert again["status_code"] == 400 and again["body"]["errors"], "a duplicate refuses the whole request"
    assert ids(ioc, "value:'other.example'") == [], "and nothing of it is applied"


def ids(ioc: falconpy.IOC, filter: str, **parameters: Any) -> list[str]:
    return body_of("indicator_search_v1", ioc.indicator_search(filter=filter, **parameters))["resources"] or []


def drive_search(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    made = create(ioc, *(new(f"search{number}.example") for number in range(5)))
    assert ids(ioc, f'value:"search3.example"+created_by:"{CLIENT_ID}"') == [made[3]["id"]]
    assert ids(ioc, "value:['search1.example','search2.example']+deleted:false", sort="value.asc") == [
        made[1]["id"], made[2]["id"]]
    assert ids(ioc, "value:'absent.example'") == []
    seen: list[str] = []
    after = None
    while page := body_of(
            "indicator_search_v1", ioc.indicator_search(limit=2, sort="value|asc", **({"after": after} if after else {}))):
        if not page["resources"]:
            break
        seen += page["resources"]
        after = page["meta"]["pagination"]["after"]
    assert seen == [one["id"] for one in made]


def drive_combined(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    made = create(ioc, new())
    found = body_of("indicator_combined_v1", ioc.indicator_combined(filter=f"created_by:['{CLIENT_ID}']+deleted:false"))
    assert found["resources"] == made


def drive_get(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    made = create(ioc, new("a.example"), new("b.example"))
    found = body_of("indicator_get_v1", ioc.indicator_get(ids=[one["id"] for one in made]))
    assert found["resources"] == made


def drive_update(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    [made] = create(ioc, new())
    change = {"id": made["id"], "severity": "low", "tags": []}
    answer = ioc.indicator_update(body={"comment": "test", "indicators": [change]})
    [changed] = body_of("indicator_update_v1", answer)["resources"]
    assert (changed["severity"], changed.get("tags") or []) == ("low", [])
    assert (changed["action"], changed["value"]) == ("detect", "client.example"), "fields left out keep their value"
    unknown = ioc.indicator_update(body={"comment": "test", "indicators": [{"id": "0" * 64, "severity": "low"}]})
    assert unknown["status_code"] >= 400 and unknown["body"]["errors"]


def drive_delete(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    made = create(ioc, new("a.example"), new("b.example"), new("c.example"))
    gone = body_of("indicator_delete_v1", ioc.indicator_delete(ids=[made[0]["id"], made[1]["id"]], comment="test"))
    assert gone["resources"] == [made[0]["id"], made[1]["id"]]
    assert ids(ioc, "deleted:false") == [made[2]["id"]]


def drive_aggregate(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    create(ioc, new(), new(HASH, type="sha256"))
    answer = ioc.indicator_aggregate(
        body={"field": "type", "type": "terms", "size": 20, "name": "by_type"}, filter="deleted:false")
    [by_type] = body_of("indicator_aggregate_v1", answer)["resources"]
    assert {bucket["label"]: bucket["count"] for bucket in by_type["buckets"]} == {"domain": 1, "sha256": 1}


def drive_report(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    answer = ioc.get_indicators_report(
        body={"report_format": "csv", "search": {"filter": "", "query": "", "sort": "modified_on.desc"}, "from_parent": False})
    assert body_of("GetIndicatorsReport", answer)["resources"]


def drive_actions(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    names = body_of("action_query_v1", ioc.action_query())["resources"]
    assert {"no_action", "detect", "prevent", "allow"} <= set(names)
    found = body_of("action_get_v1", ioc.action_get(ids=names))["resources"]
    assert [one["id"] for one in found] == names
    assert "windows" in next(one for one in found if one["id"] == "detect")["platforms_by_type"]["domain"]


def drive_types(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    types = body_of("ioc_type_query_v1", ioc.ioc_type_query())["resources"]
    assert sorted(types) == ["domain", "ipv4", "ipv6", "md5", "sha256"]


def drive_platforms(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    assert {"windows", "mac", "linux"} <= set(body_of("platform_query_v1", ioc.platform_query())["resources"])


def drive_severities(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    names = body_of("severity_query_v1", ioc.severity_query())["resources"]
    assert set(names) == {"informational", "low", "medium", "high", "critical"}


HOST, PROCESS = "1" * 32, f"pid:{'1' * 32}:77"
SEEN = {"type": "sha256", "value": HASH}


def drive_device_count(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    for name, count in (
        ("indicator_get_device_count_v1", ioc.indicator_get_device_count_v1), ("DevicesCount", ioc.devices_count_legacy),
    ):
        [found] = body_of(name, count(**SEEN))["resources"]
        assert (found["type"], found["value"], found["device_count"]) == ("sha256", HASH, 1)


def drive_devices(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    for name, devices in (
        ("indicator_get_devices_ran_on_v1", ioc.indicator_get_devices_ran_on_v1),
        ("DevicesRanOn", ioc.devices_ran_on_legacy),
    ):
        assert body_of(name, devices(**SEEN, limit="10"))["resources"] == [HOST]


def drive_processes(ioc: falconpy.IOC, auth: falconpy.OAuth2) -> None:
    for name, processes in (
        ("indicator_get_processes_ran_on_v1", ioc.indicator_get_processes_ran_on_v1),
        ("ProcessesRanOn", ioc.processes_ran_on_legacy),
    ):
        assert body_of(name, processes(**SEEN, device_id=HOST))["resources"] == [PROCESS]
    [details] = body_of("entities_processes", ioc.entities_processes(ids=PROCESS))["resources"]
    assert details["device_id"] == HOST


DRIVERS: dict[str, Callable[[falconpy.IOC, falconpy.OAuth2], None]] = {
    "oauth2AccessToken": drive_token,
    "oauth2RevokeToken": drive_revoke,
    "indicator_search_v1": drive_search,
    "indicator_combined_v1": drive_combined,
    "indicator_get_v1": drive_get,
    "indicator_create_v1": drive_create,
    "indicator_update_v1": drive_update,
    "indicator_delete_v1": drive_delete,
    "indicator_aggregate_v1": drive_aggregate,
    "GetIndicatorsReport": drive_report,
    "action_query_v1": drive_actions,
    "action_get_v1": drive_actions,
    "ioc_type_query_v1": drive_types,
    "platform_query_v1": drive_platforms,
    "severity_query_v1": drive_severities,
    "indicator_get_device_count_v1": drive_device_count,
    "indicator_get_devices_ran_on_v1": drive_devices,
    "indicator_get_processes_ran_on_v1": drive_processes,
    "DevicesCount": drive_device_count,
    "DevicesRanOn": drive_devices,
    "ProcessesRanOn": drive_processes,
    "entities_processes": drive_processes,
}


# covers: falcon:client
@pytest.mark.parametrize("operation", ioc_operations())
def test_the_official_client_is_content(
    operation: str, ioc: falconpy.IOC, auth: falconpy.OAuth2, falcon: FalconSimulator,
) -> None:
    falcon.post("sightings", {**SEEN, "devices": {HOST: [PROCESS]}})
    DRIVERS[operation](ioc, auth)


def test_every_operation_of_the_contract_is_driven() -> None:
    assert set(DRIVERS) == set(ioc_operations())


def test_a_wrong_secret_is_refused(falcon: FalconSimulator) -> None:
    falcon.settings(region="simulated")
    auth = falconpy.OAuth2(client_id=CLIENT_ID, client_secret="wrong", base_url=falcon.url)
    answer = auth.login()
    assert answer["status_code"] in (401, 403) and answer["body"]["errors"]


@pytest.mark.parametrize("breach", [
    new(platforms=[]), new(severity=None), new(type="url"), new(action="prevent"), new(value=""),
    new("6a", type="md5"), new("300.1.1.1", type="ipv4"), new(applied_globally=False),
])
def test_what_the_vendor_would_refuse_is_refused(breach: dict[str, Any], ioc: falconpy.IOC) -> None:
    answer = ioc.indicator_create(body={"comment": "test", "indicators": [breach]})
    assert answer["status_code"] == 400 and answer["body"]["errors"]
    assert ids(ioc, "deleted:false") == []
