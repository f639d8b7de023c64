# SPDX-License-Identifier: Apache-2.0
"""CrowdSec enrichment end to end: the platform asks over HTTP, the answer comes back over its API."""
from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.crowdsec import Enrichment
from support.crowdsec_play import CASES, play, said
from support.enrichment_cases import ANSWERS, EnrichmentCase
from support.program import Sallyport
from support.simulators import CONNECTOR_ID, CROWDSEC_KEY, TOKEN, CrowdSecSimulator, OpenCTISimulator

ADDRESS = "192.0.2.10"


@pytest.fixture
def enrichment(sallyport: Sallyport, opencti: OpenCTISimulator, crowdsec: CrowdSecSimulator) -> Iterator[Enrichment]:
    yield Enrichment(sallyport, opencti, crowdsec)


# The shared cases


# covers: crowdsec:rule_callback, crowdsec:mode_seed, crowdsec:write_labels, crowdsec:write_organization
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_platform_gets_what_the_case_expects(case: EnrichmentCase, enrichment: Enrichment) -> None:
    play(case, enrichment)


# Beyond the cases


# covers: crowdsec:rule_scope, crowdsec:rule_no_entity
def test_each_odd_request_ends_in_words_and_the_next_is_served(enrichment: Enrichment) -> None:
    program = enrichment.start()
    gone = enrichment.add("192.0.2.77")
    enrichment.opencti.ask("DELETE", f"observables?id={gone}")
    for entity, text in [
        (enrichment.add("evil.example", type="Domain-Name"), "not in the scope"), (gone, "Unable to read/access"),
        (enrichment.add("192.0.2.0/24"), "Invalid IP address: 192.0.2.0/24"),
        (enrichment.add("fd00::1"), "Not a public IP address: fd00::1"),
        (enrichment.add("192.0.2.9", markings=["TLP:GREEN", "TLP:RED"]), "greater than MAX TLP"),
    ]:
        assert text in said(enrichment.ended(program, enrichment.ask(entity)[0]))
    for raw in ['{"internal":{},"event":{}}', '{"internal":{"work_id":null},"event":{"entity_id":7}}', "{}"]:
        enrichment.ask(raw=raw)
    assert "completed for IP" in said(enrichment.enrich(program, ADDRESS))
    assert enrichment.crowdsec.usage()["requests"] == 1
    listed = enrichment.command("dlq", "list", "--json")
    assert len(listed.json_lines) >= 1, listed.err


# covers: crowdsec:rule_cache, crowdsec:rule_calls
def test_ten_requests_about_one_address_cost_one_token_and_few_calls(enrichment: Enrichment) -> None:
    enrichment.settings = {
        "CROWDSEC_MIN_DELAY_BETWEEN_ENRICHMENTS": "0", "CROWDSEC_LAST_ENRICHMENT_DATE_IN_DESCRIPTION": "false",
        "CROWDSEC_LABELS_REPUTATION": "true"}
    enrichment.crowdsec.prepare(ADDRESS, ANSWERS["malicious-full"])
    program = enrichment.start()
    enrichment.enrich(program, ADDRESS)
    before = enrichment.opencti.get("counters")["total"]
    asked = 0
    for _ in range(9):
        work = enrichment.ask(enrichment.entity(ADDRESS)["id"])[0]
        while not enrichment.work(work)["processed_time"]:
            asked += 1
        asked += 1
    assert enrichment.crowdsec.usage() == {"tokens": 0, "requests": 1, "addresses": {ADDRESS: 1}}
    calls = enrichment.opencti.get("counters")["total"] - before - asked
    pings = enrichment.opencti.calls("pingConnector")
    assert calls - pings <= 6 * 9
    # The platform merges what has one id: nothing stands there twice.
    knowledge = enrichment.knowledge()
    assert len({reference["url"] for reference in knowledge["references"]}) == len(knowledge["references"])
    assert len({frozenset(object["id"] for object in bundle) for bundle in enrichment.bundles()}) == 1


# covers: crowdsec:bug_Q11, key:CROWDSEC_REMOVE_STALE_LABELS
def test_a_former_verdicts_label_leaves_where_it_was_ours(enrichment: Enrichment) -> None:
    enrichment.settings = {
        "CROWDSEC_MIN_DELAY_BETWEEN_ENRICHMENTS": "0", "CROWDSEC_LABELS_REPUTATION": "true",
        "CROWDSEC_REMOVE_STALE_LABELS": "true", "CROWDSEC_CACHE_LIFETIME": "0",
        "CROWDSEC_LABELS_SCENARIO_NAME": "false", "CROWDSEC_LABELS_SCENARIO_LABEL": "false"}
    enrichment.crowdsec.prepare(
        ADDRESS, [{"status": 200, "body": {"reputation": reputation}} for reputation in ("malicious", "safe", "known")])
    program = enrichment.start()
    identity = enrichment.add(ADDRESS, labels=["by-hand", "known"])
    for labels in ({"by-hand", "known", "malicious"}, {"by-hand", "known", "safe"}):
        enrichment.ended(program, enrichment.ask(identity)[0])
        assert set(enrichment.entity(ADDRESS)["labels"]) == labels
    # What we set is remembered across a restart.
    program.stop()
    program = enrichment.start()
    enrichment.ended(program, enrichment.ask(identity)[0])
    assert set(enrichment.entity(ADDRESS)["labels"]) == {"by-hand", "known"}


# covers: crowdsec:rule_playbook
def test_a_playbook_gets_its_own_objects_and_ours(enrichment: Enrichment) -> None:
    enrichment.settings = {"CROWDSEC_LABELS_REPUTATION": "true"}
    enrichment.crowdsec.prepare(ADDRESS, ANSWERS["malicious-full"])
    program = enrichment.start()
    enrichment.ask(enrichment.add(ADDRESS), playbook=True)
    program.wait_until(enrichment.bundles, "the playbook's answer")
    [line] = enrichment.opencti.lines("bundles")
    assert line["way"] == "playbook"
    [observable] = [object for object in line["objects"] if object.get("value") == ADDRESS]
    assert "malicious" in observable["labels"]
    assert any(object["type"] == "identity" for object in line["objects"])
    # Of the labels only the colours are made: the playbook attaches them.
    assert enrichment.knowledge()["references"] == [] and enrichment.entity(ADDRESS)["labels"] == []
    assert {"value": "confluence cve-2022-26134", "color": "#2E2A14"} in enrichment.knowledge()["labels"]


# covers: crowdsec:rule_versions
@pytest.mark.parametrize("version", ["6.5.0", "6.8.10", "7.260817.0"])
def test_platforms_of_other_versions_are_served(version: str, enrichment: Enrichment) -> None:
    enrichment.opencti.post("version", {"version": version})
    enrichment.crowdsec.prepare(ADDRESS, ANSWERS["suspicious-medium"])
    program = enrichment.start()
    assert "completed for IP" in said(enrichment.enrich(program, ADDRESS, markings=["TLP:AMBER"]))
    [objects] = enrichment.bundles()
    assert objects[0]["x_opencti_description"].startswith("\n\n`Last CrowdSec enrichment: ")
    assert "Last CrowdSec enrichment" in enrichment.entity(ADDRESS)["description"]
    # Nothing of what is asked again at once is looked up.
    again = enrichment.ended(program, enrichment.ask(objects[0]["id"])[0])
    assert "Last enrichment was less than 300 seconds ago" in said(again)


# covers: crowdsec:status_5xx, crowdsec:rule_network
def test_a_service_that_stumbles_is_asked_again(enrichment: Enrichment) -> None:
    enrichment.crowdsec.prepare(ADDRESS, ANSWERS["suspicious-medium"])
    enrichment.crowdsec.fault("status", 503)
    enrichment.crowdsec.fault("reset_before", skip=1)
    program = enrichment.start()
    assert "completed for IP" in said(enrichment.enrich(program, ADDRESS))
    assert enrichment.crowdsec.faults_left() <= 1


# covers: crowdsec:error_quota, crowdsec:status_429, crowdsec:rule_cool_down, key:CROWDSEC_MAX_ATTEMPTS
def test_works_say_that_the_quota_is_spent_and_the_queue_goes_on(enrichment: Enrichment) -> None:
    enrichment.settings = {"CROWDSEC_MAX_ATTEMPTS": "2", "CROWDSEC_MIN_DELAY_BETWEEN_ENRICHMENTS": "0"}
    enrichment.crowdsec.settings(daily_quota=1)
    program = enrichment.start()
    assert "completed for IP" in said(enrichment.enrich(program, ADDRESS))
    for address in ("192.0.2.11", "192.0.2.12"):
        [error] = enrichment.enrich(program, address)["errors"]
        assert error["message"] == (
            "Quota exceeded for CrowdSec CTI API. Please visit https://www.crowdsec.net/pricing to upgrade your plan.")
    # The second of them failed at once: what was found out for the first holds for all.
    assert enrichment.crowdsec.usage()["addresses"] == {ADDRESS: 1, "192.0.2.11": 2}
    # What is known already costs nothing, and what was refused may be asked for again: nothing is put aside.
    assert "completed for IP" in said(enrichment.ended(program, enrichment.ask(enrichment.entity(ADDRESS)["id"])[0]))
    assert enrichment.command("dlq", "list", "--json").json_lines == []


# covers: crowdsec:rule_health
def test_health_and_metrics_tell_of_the_service(enrichment: Enrichment) -> None:
    enrichment.crowdsec.prepare(ADDRESS, ANSWERS["malicious-full"] + ANSWERS["forbidden-then-forbidden"])
    enrichment.settings = {"CROWDSEC_CACHE_LIFETIME": "0", "CROWDSEC_MIN_DELAY_BETWEEN_ENRICHMENTS": "0"}
    program = enrichment.start()
    base = next(part for part in (program.err + program.out).split() if part.startswith("url=http")).removeprefix("url=")

    def get(path: str) -> str:
        with urllib.request.urlopen(base + path, timeout=30) as answer:
            return answer.read().decode()

    program.wait_until(lambda: '"crowdsec/crowdsec"' in get("/health/ready"), "readiness")
    enrichment.enrich(program, ADDRESS)
    assert 'sallyport_crowdsec_lookups_total{flow="crowdsec",result="found",cached="false"} 1' in get("/metrics")
    enrichment.enrich(program, ADDRESS)
    assert "status 403" in get("/health/ready")
    assert 'result="crowdsec.refused"' in get("/metrics")


# covers: crowdsec:explain
def test_explain_tells_what_was_done_and_what_was_not(enrichment: Enrichment) -> None:
    enrichment.settings = {"CROWDSEC_LABELS_REPUTATION": "true"}
    enrichment.crowdsec.prepare(ADDRESS, ANSWERS["malicious-full"])
    program = enrichment.start()
    enrichment.enrich(program, ADDRESS)
    enrichment.enrich(program, "192.0.2.9", markings=["TLP:RED"])
    done = enrichment.command("explain", ADDRESS)
    assert done.status == 0 and "labels_of_ours=malicious" in done.out and "delivered" in done.out
    refused = enrichment.command("explain", "192.0.2.9")
    assert refused.status == 0 and "crowdsec.tlp" in refused.out
    assert enrichment.command("explain", "192.0.2.8").status == 1


# covers: crowdsec:check
def test_check_finds_all_well_and_says_what_is_not(enrichment: Enrichment) -> None:
    assert enrichment.command("check").status == 0
    enrichment.settings = {"CROWDSEC_KEY": "wrong-key"}
    done = enrichment.command("check")
    assert done.status == 4 and "status 403" in done.out
    assert enrichment.crowdsec.usage()["tokens"] == 0


def test_plan_says_that_there_is_nothing_to_tell_ahead(enrichment: Enrichment) -> None:
    done = enrichment.command("plan")
    assert done.status == 0 and "sallyport enrich" in done.out


# covers: key:CROWDSEC_VERSION
def test_the_originals_config_file_is_enough(enrichment: Enrichment, tmp_path: Path) -> None:
    settings = enrichment.environment
    # As the seed's sample has them: everything in config.yml, the old names.
    (tmp_path / "config.yml").write_text(f"""
opencti:
  url: '{settings["OPENCTI_URL"]}'
  token: '{TOKEN}'
connector:
  id: '{CONNECTOR_ID}'
  type: 'INTERNAL_ENRICHMENT'
  name: 'crowdsec'
  scope: 'IPv4-Addr'
  confidence_level: 100
  log_level: 'error'
crowdsec:
  key: '{CROWDSEC_KEY}'
  api_url: '{settings["CROWDSEC_API_URL"]}'
  version: v2
  max_tlp: 'TLP:AMBER'
  name: 'crowdsec'
  description: 'CrowdSec CTI enrichment'
""")
    done = enrichment.sallyport.run("check", "--connector", "connector-crowdsec", env={}, cwd=tmp_path)
    (tmp_path / "config.yml").unlink()
    assert done.status == 0, done.out + done.err
