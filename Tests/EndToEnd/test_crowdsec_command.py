# SPDX-License-Identifier: Apache-2.0
"""`sallyport enrich` and the simulated service: what a person at a terminal gets, judged by the STIX libraries."""
from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
import stix2
from stix2patterns.validator import run_validator

from support.enrichment_cases import ANSWERS, EnrichmentCase, cases, differences
from support.program import Result, Sallyport
from support.simulators import CROWDSEC_KEY, CrowdSecSimulator

CASES = [case for case in cases() if case.expected.get("bundle")]


def enrich(sallyport: Sallyport, crowdsec: CrowdSecSimulator, *arguments: str, **settings: str) -> Result:
    return sallyport.run(
        "enrich", *arguments, env={"CROWDSEC_API_URL": crowdsec.url, "CROWDSEC_KEY": CROWDSEC_KEY, **settings})


def judge(bundle: dict[str, Any]) -> None:
    """The library of the specification's authors reads every object, and their validator every pattern."""
    parsed = stix2.parse(bundle, allow_custom=True, version="2.1")
    assert len(parsed.objects) == len(bundle["objects"])
    for object in bundle["objects"]:
        if object["type"] == "indicator":
            assert run_validator(object["pattern"], stix_version="2.1") == []


# Answers whose back-off a person would wait for are shown by the unit tests, on a clock of their own.
QUICK = [case for case in CASES if not case.expected["sleeps_s"]]


# covers: crowdsec:rule_stix2, crowdsec:rule_patterns
@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.name)
def test_every_bundle_is_valid_stix_and_what_the_case_expects(
    case: EnrichmentCase, sallyport: Sallyport, crowdsec: CrowdSecSimulator,
) -> None:
    crowdsec.prepare(case.address, case.answers)
    done = enrich(sallyport, crowdsec, "--json", case.address, **case.settings)
    assert done.status == 0, done.err
    judge(done.json)
    # What the platform knows of the observable and its markings is not known here; without a date of the service's, an
    # indicator begins now.
    unknown = {"object_marking_refs"} | ({"valid_from"} if case.name.startswith("no-dates") else set())
    def plain(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in object.items() if key not in unknown} for object in objects
            if object["type"] not in ("ipv4-addr", "ipv6-addr", "identity")]
    assert differences(plain(done.json["objects"]), plain(case.expected["bundle"]["objects"]), ignoring={"note"}) == []
    crowdsec.reset()


def test_a_table_tells_the_essence(sallyport: Sallyport, crowdsec: CrowdSecSimulator) -> None:
    crowdsec.prepare("192.0.2.10", ANSWERS["malicious-full"])
    done = enrich(sallyport, crowdsec, "192.0.2.10")
    assert done.status == 0
    for part in ("malicious", "AS64500", "crowdsecurity/ssh-bf", "T1110", "CVE-2022-26134", "United States  37%"):
        assert part in done.out


# covers: cli:enrich
@pytest.mark.parametrize("name, status, text", [
    ("unknown-404", 0, "not found in CrowdSec CTI"), ("empty-object", 0, "not found in CrowdSec CTI"),
    ("forbidden-then-forbidden", 4, "status 403"),
])
def test_each_end_has_its_status_and_its_words(
    name: str, status: int, text: str, sallyport: Sallyport, crowdsec: CrowdSecSimulator,
) -> None:
    crowdsec.prepare("192.0.2.60", ANSWERS[name])
    done = enrich(sallyport, crowdsec, "192.0.2.60")
    assert done.status == status and text in done.out + done.err


# covers: cli:enrich
@pytest.mark.parametrize("address", ["10.0.0.1", "192.0.2.0/24", "evil.example", "::1"])
def test_what_is_no_public_address_costs_nothing(
    address: str, sallyport: Sallyport, crowdsec: CrowdSecSimulator,
) -> None:
    assert enrich(sallyport, crowdsec, address).status == 2
    assert crowdsec.usage()["requests"] == 0


# covers: cli:enrich
@pytest.mark.parametrize("settings", [
    {"CROWDSEC_KEY": ""}, {"CROWDSEC_API_VERSION": "v1"}, {"CROWDSEC_MAX_TLP": "PURPLE"},
    {"CROWDSEC_CREATE_NOTE": "perhaps"}, {"CROWDSEC_LABELS_CVE_COLOR": "red"},
])
def test_wrong_settings_end_with_status_3_and_their_name(
    settings: dict[str, str], sallyport: Sallyport, crowdsec: CrowdSecSimulator,
) -> None:
    done = enrich(sallyport, crowdsec, "192.0.2.10", **settings)
    assert done.status == 3
    assert next(iter(settings)) in done.err


def test_the_key_may_stand_in_a_file(sallyport: Sallyport, crowdsec: CrowdSecSimulator) -> None:
    path = sallyport.folder / "key"
    path.write_text(CROWDSEC_KEY + "\n")
    done = sallyport.run("enrich", "192.0.2.10", env={"CROWDSEC_API_URL": crowdsec.url, "CROWDSEC_KEY_FILE": str(path)})
    path.unlink()
    assert done.status == 0, done.err


def plain_get(crowdsec: CrowdSecSimulator, path: str, key: str | None) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(crowdsec.url + path, headers={} if key is None else {"x-api-key": key})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


# covers: crowdsec:rule_simulator
def test_the_simulated_service_is_strict_with_any_client(crowdsec: CrowdSecSimulator) -> None:
    assert plain_get(crowdsec, "/v2/smoke/192.0.2.10", CROWDSEC_KEY)[0] == 200
    assert plain_get(crowdsec, "/v2/smoke/192.0.2.10", "wrong") == (403, {"message": "Forbidden"})
    assert plain_get(crowdsec, "/v2/smoke/192.0.2.10", None) == (403, {"message": "Forbidden"})
    assert plain_get(crowdsec, "/v2/smoke/127.0.0.1", CROWDSEC_KEY)[0] == 404
    assert plain_get(crowdsec, "/v2/smoke/192.0.2.10?since=1", CROWDSEC_KEY)[0] == 400
    crowdsec.settings(daily_quota=1)
    assert plain_get(crowdsec, "/v2/smoke/192.0.2.10", CROWDSEC_KEY) == (429, {"message": "Limit Exceeded"})
    crowdsec.settings(daily_quota=None, requests_per_second=1)
    statuses = {plain_get(crowdsec, "/v2/smoke/127.0.0.1", CROWDSEC_KEY)[0] for _ in range(20)}
    assert 429 in statuses
