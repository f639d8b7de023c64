# SPDX-License-Identifier: Apache-2.0
"""Enrichment over a real RabbitMQ and over HTTP: each request answered, its effect applied once, none lost."""
from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from support.broker import Broker
from support.bucket import ACCESS_KEY, REGION, SECRET_KEY, Bucket
from support.enrichment import CONNECTOR, Enrichment, addresses, known_answer
from support.network import free_port
from support.program import DEADLINE, Result, eventually
from support.simulators import TOKEN

API = {"CONNECTOR_LISTEN_PROTOCOL": "API", "CONNECTOR_QUEUE_PROTOCOL": "api"}


def prepared(enrichment: Enrichment, values: list[str]) -> list[str]:
    """Observables that CrowdSec knows, a small record each."""
    for value in values:
        enrichment.crowdsec.prepare(value, [known_answer(value)])
    return enrichment.observables(*values)


def assert_applied_once(enrichment: Enrichment, works: list[str], ids: list[str]) -> None:
    """Every work complete without errors, announced once; every entity enriched; nothing of it there twice."""
    for identity, work in enrichment.finished(works).items():
        assert work["errors"] == [], (identity, work["errors"])
        tracking = work["tracking"]
        # The observable, a sighting by CrowdSec, one in the country, the country.
        assert tracking["import_expected_number"] == 4, (identity, tracking)
    knowledge = enrichment.knowledge()
    entities = {entity["id"]: entity for entity in knowledge["entities"]}
    for identity in ids:
        entity = entities[identity]
        assert entity["writes"] > 0, f"{identity} was lost"
        assert entity["labels"] == ["crowdsecurity/ssh-bf", "ssh bruteforce"], entity
        assert entity["description"].count("Last CrowdSec enrichment") == 1
    seen = [one["x_opencti_sighting_of_ref"] for bundle in enrichment.bundles() for one in bundle["objects"]
            if one["type"] == "sighting"]
    sightings = {name for name in knowledge["objects"] if name.startswith("sighting--")}
    # However often they came: each entity has two, by CrowdSec and in the country.
    assert len(sightings) == 2 * len(set(seen))


# covers: bus:amqp bus:works bus:expectations bus:split bus:labels bus:references
def test_a_request_over_rabbitmq_ends_in_a_work_and_a_split_bundle(enrichment: Enrichment) -> None:
    enrichment.start()
    [identity] = prepared(enrichment, ["45.0.0.9"])

    [work] = enrichment.ask([identity])

    assert_applied_once(enrichment, [work], [identity])
    assert enrichment.message(work).startswith("CrowdSec enrichment completed for IP: 45.0.0.9")
    bundles = enrichment.bundles()
    assert [bundle["way"] for bundle in bundles] == ["amqp"] * 4
    assert [bundle["message"]["action_sequence"] for bundle in bundles] == [1, 2, 3, 4]
    sequence = [bundle["message"]["x_opencti_seq"] for bundle in bundles]
    assert sequence == sorted(sequence)
    for bundle in bundles:
        assert bundle["message"]["bundle_type"] == "QUEUE_BUNDLE"
        assert bundle["message"]["work_id"] == work
        assert bundle["message"]["applicant_id"] == "88ec0c6a-13ce-5e39-b486-354fe4a7084f"
        assert bundle["message"]["update"] is False and bundle["message"]["draft_id"] is None
    [console] = [one for one in enrichment.knowledge()["references"] if one["source_name"] == "CrowdSec CTI"]
    assert console["url"] == "https://app.crowdsec.net/cti/45.0.0.9"
    assert {"value": "ssh bruteforce", "color": "#2E2A14"} in enrichment.knowledge()["labels"]


# covers: bus:callback bus:callback-token bus:push-api
def test_a_request_over_http_needs_no_broker(callback_enrichment: Enrichment) -> None:
    enrichment = callback_enrichment
    port = free_port()
    program = enrichment.start(
        **API, CONNECTOR_LISTEN_PROTOCOL_API_PORT=str(port), CONNECTOR_LISTEN_PROTOCOL_API_URI=f"http://127.0.0.1:{port}")
    [identity] = prepared(enrichment, ["45.0.0.9"])
    url = f"http://127.0.0.1:{port}/api/callback"
    program.wait_until(lambda: "Listening for requests" in program.err, "it listens")

    def post(token: str, body: bytes) -> int:
        request = urllib.request.Request(url, data=body, headers={
            "Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def unsigned(algorithm: str) -> str:
        parts = [{"alg": algorithm, "kid": "simulated"}, {"iss": "opencti", "sub": "connector", "exp": 4102444800}]
        return ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."

    # From 7 on the platform signs: neither our own token nor an unsigned one opens anything.
    assert [post(token, b"{}") for token in (TOKEN, "x", unsigned("none"), unsigned("EdDSA"))] == [401] * 4
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30) as answer:
        assert json.loads(answer.read()) == {"status": "ok"}

    [work] = enrichment.ask([identity])
    enrichment.finished([work])
    [bundle] = enrichment.bundles()
    assert bundle["way"] == "api" and bundle["message"]["work_id"] == work
    assert len(bundle["objects"]) == 4


# covers: bus:callback-early
def test_a_platform_of_6_5_sends_our_own_token_and_no_entity(callback_enrichment: Enrichment) -> None:
    enrichment = callback_enrichment
    enrichment.opencti.post("version", {"version": "6.5.3"})
    port = free_port()
    enrichment.start(
        **API, CONNECTOR_LISTEN_PROTOCOL_API_PORT=str(port), CONNECTOR_LISTEN_PROTOCOL_API_URI=f"http://127.0.0.1:{port}")
    [identity] = prepared(enrichment, ["45.0.0.9"])

    [work] = enrichment.ask([identity])

    assert enrichment.message(work).startswith("CrowdSec enrichment completed for IP: 45.0.0.9")


# covers: bus:kill bus:attempts bus:redelivery
def test_killed_with_200_requests_in_flight_each_is_answered_once(enrichment: Enrichment) -> None:
    settings = {"CROWDSEC_MAX_CONCURRENT": "200"}
    program = enrichment.start(**settings)
    ids = prepared(enrichment, addresses(260))
    enrichment.crowdsec.fault("latency", 700, times=None, path="/v2/*")

    works = enrichment.ask(ids)
    program.wait_until(lambda: enrichment.crowdsec.usage()["requests"] >= 200, "200 look-ups under way")
    program.kill()
    enrichment.crowdsec.heal()
    # Again, while some are being published and reported.
    program = enrichment.start(**settings)
    program.wait_until(lambda: enrichment.opencti.calls("workEdit") > 150, "some are through")
    program.kill()
    enrichment.start(**settings)

    assert_applied_once(enrichment, works, ids)


# covers: bus:broker-restart bus:reconnect bus:confirms
def test_the_broker_is_killed_under_load_and_comes_back(enrichment: Enrichment, broker_server: Broker) -> None:
    program = enrichment.start(CROWDSEC_MAX_CONCURRENT="50")
    ids = prepared(enrichment, addresses(300))
    enrichment.crowdsec.fault("latency", 30, times=None, path="/v2/*")

    works = enrichment.ask(ids)
    program.wait_until(lambda: len(enrichment.bundles()) > 40, "bundles are on their way")
    broker_server.restart()

    assert_applied_once(enrichment, works, ids)
    assert program.is_running


# covers: bus:competing
def test_two_processes_share_the_queue(enrichment: Enrichment) -> None:
    settings = {"CROWDSEC_MAX_CONCURRENT": "4"}
    one = enrichment.start(**settings)
    other = enrichment.start(**settings, SALLYPORT_STATE_DIR=str(enrichment.sallyport.folder / "other"))
    ids = prepared(enrichment, addresses(120))
    enrichment.crowdsec.fault("latency", 20, times=None, path="/v2/*")

    works = enrichment.ask(ids)

    assert_applied_once(enrichment, works, ids)
    # Each address was asked about once: nobody did another's work.
    assert enrichment.crowdsec.usage()["requests"] == len(ids)
    assert one.is_running and other.is_running


# covers: bus:malformed bus:scope bus:missing-entity bus:tlp bus:dead-letter bus:no-sticking
def test_what_cannot_be_enriched_says_so_in_its_work(enrichment: Enrichment) -> None:
    program = enrichment.start(CONNECTOR_SCOPE="IPv4-Addr,IPv6-Addr")
    [good, text, no_address, red, pink, v6] = [
        *prepared(enrichment, ["45.0.0.9"]),
        *json.loads(enrichment.opencti.ask("POST", "observables", [
            {"type": "Domain-Name", "value": "example.org"}, {"type": "IPv4-Addr", "value": "not an address"},
            {"type": "IPv4-Addr", "value": "45.0.0.11", "markings": ["TLP:GREEN", "TLP:RED"]},
            # A level of the operator's own, whose name says nothing to us: as strict as can be.
            {"type": "IPv4-Addr", "value": "45.0.0.12", "markings": ["TLP:PINK"]}]))["ids"],
        *prepared(enrichment, ["2a00:1450:4001:81b::200e"])]
    gone = "ipv4-addr--11111111-1111-4111-8111-111111111111"
    works = enrichment.ask([gone, text, no_address, red, pink, v6])

    enrichment.send(
        "{", "[]", '"text"', json.dumps({"event": {}}), json.dumps({"internal": {"work_id": "work_of_nobody"}}),
        json.dumps({"internal": {"work_id": None}, "event": {"entity_id": good, "stix_entity": "{"}}))
    [last] = enrichment.ask([good])

    assert_applied_once(enrichment, [last], [good])
    assert "Unable to read/access the entity" in enrichment.error(works[0])
    assert "not in the scope" in enrichment.message(works[1])
    assert enrichment.message(works[2]) == "Invalid IP address: not an address"
    for work in (works[3], works[4]):
        assert "greater than MAX TLP" in enrichment.error(work)
    assert enrichment.message(works[5]).startswith("CrowdSec enrichment completed for IP: 2a00:1450:4001:81b::200e")
    assert program.is_running
    program.stop()
    letters = enrichment.sallyport.run("dlq", "list", "--connector", "crowdsec", "--json", env=enrichment.environment)
    assert letters.out.count("opencti.bad_message") == 6, letters.out + letters.err


# covers: bus:work-error
def test_a_wrong_key_ends_in_a_work_an_analyst_understands(enrichment: Enrichment) -> None:
    enrichment.start()
    enrichment.crowdsec.settings(keys=["another"])

    [work] = enrichment.ask(enrichment.observables("45.0.0.9"))

    assert "Check CROWDSEC_KEY" in enrichment.error(work)


# covers: bus:poison bus:third-attempt bus:dead-letter-retry
def test_a_request_that_ends_the_process_three_times_is_put_aside(enrichment: Enrichment) -> None:
    [poison, other] = prepared(enrichment, ["45.0.0.9", "45.0.0.10"])
    enrichment.crowdsec.fault("half_open", times=None, lasting=600, path="/v2/smoke/45.0.0.9")
    program = enrichment.start()
    [work] = enrichment.ask([poison])
    for attempt in (1, 2, 3):
        program.wait_until(
            lambda count=attempt: enrichment.crowdsec.get("counters")["total"] >= count, f"look-up {attempt}")
        program.kill()
        program = enrichment.start()

    assert "ended the connector 3 times" in enrichment.error(work)
    [fine] = enrichment.ask([other])
    enrichment.finished([fine])

    def letters(*arguments: str) -> Result:
        return enrichment.sallyport.run("dlq", *arguments, "--connector", "crowdsec", env=enrichment.environment)
    assert "enrichment.crashed" in letters("list").out
    # Somebody has found the reason and wants it tried again.
    enrichment.crowdsec.heal()
    letters("retry", "all")
    program.wait_until(lambda: len(enrichment.bundles()) == 8, "both have been enriched")
    program.wait_until(lambda: not letters("list", "--json").out, "the letter is gone")


# covers: bus:playbook bus:playbook-colours
def test_a_playbook_gets_its_bundle_back_with_what_was_found(enrichment: Enrichment) -> None:
    enrichment.start()
    [known] = prepared(enrichment, ["45.0.0.9"])
    [private] = enrichment.observables("10.0.0.1")

    enrichment.ask([known, private], playbook=True)

    eventually(lambda: len(enrichment.bundles()) == 2, "both answers")
    answers = {bundle["objects"][0]["value"]: bundle for bundle in enrichment.bundles()}
    assert {bundle["way"] for bundle in answers.values()} == {"playbook"}
    assert len(answers["45.0.0.9"]["objects"]) >= 4
    # Nothing to add: the run goes on all the same.
    assert [one["type"] for one in answers["10.0.0.1"]["objects"]] == ["ipv4-addr"]
    # A bundle can't say the colours of labels: they are made beside it, and attached by the playbook.
    assert {"value": "ssh bruteforce", "color": "#2E2A14"} in enrichment.knowledge()["labels"]
    assert enrichment.knowledge()["entities"][0]["labels"] == []
    assert "ssh bruteforce" in [label.lower() for label in answers["45.0.0.9"]["objects"][0]["labels"]]
    step = answers["45.0.0.9"]["message"]
    assert step["event_id"] == "1735787045000-0" and step["step_id"] and step["execution_start"].endswith("Z")


# covers: bus:queue-deleted bus:ping-heals
def test_a_deleted_queue_is_read_again_once_the_platform_has_made_it(enrichment: Enrichment) -> None:
    program = enrichment.start()
    [identity] = prepared(enrichment, ["45.0.0.9"])
    program.wait_until(lambda: "Reading requests from RabbitMQ" in program.err, "it reads the queue")
    enrichment.opencti.post("queues/delete")
    program.wait_until(lambda: "broker.no_queue" in program.err, "the loss is told")

    [work] = enrichment.ask([identity])

    assert_applied_once(enrichment, [work], [identity])


# covers: bus:validation bus:workbench bus:draft key:CONNECTOR_VALIDATE_BEFORE_IMPORT
def test_bundles_wait_for_a_person_in_a_draft_or_workbench(enrichment: Enrichment) -> None:
    enrichment.start(CONNECTOR_VALIDATE_BEFORE_IMPORT="true")
    [one, other] = prepared(enrichment, ["45.0.0.9", "45.0.0.10"])

    [drafted] = enrichment.ask([one])
    enrichment.finished([drafted])
    [draft] = enrichment.knowledge()["drafts"]
    assert {bundle["message"]["draft_id"] for bundle in enrichment.bundles()} == {draft["id"]}
    assert enrichment.work(drafted)["draft_context"] == draft["id"]

    [work] = enrichment.ask([other], event={"validation_mode": "workbench"})
    enrichment.finished([work])
    [bench] = [bundle for bundle in enrichment.bundles() if bundle["way"] == "workbench"]
    assert bench["message"]["name"] == f"{work}.json" and len(bench["objects"]) == 4


# covers: bus:whole bus:directory bus:organizations key:CONNECTOR_BUNDLE_FORM key:CONNECTOR_SEND_TO_DIRECTORY
# covers: key:CONNECTOR_SEND_TO_DIRECTORY_PATH
def test_whole_bundles_files_and_shared_organizations(enrichment: Enrichment, tmp_path: Path) -> None:
    folder = tmp_path / "bundles"
    folder.mkdir()
    enrichment.start(
        CONNECTOR_BUNDLE_FORM="whole", CONNECTOR_SEND_TO_DIRECTORY="true", CONNECTOR_SEND_TO_DIRECTORY_PATH=str(folder))
    prepared(enrichment, ["45.0.0.9"])
    shared = "identity--5f18c204-0a7f-5061-a146-d29561d9c8aa"
    [identity] = enrichment.observables("45.0.0.9", stix={"x_opencti_granted_refs": [shared]})

    [work] = enrichment.ask([identity])

    enrichment.finished([work])
    [bundle] = eventually(enrichment.bundles, "the bundle")
    assert bundle["way"] == "amqp" and len(bundle["objects"]) == 4
    for one in bundle["objects"]:
        octi = one.get("extensions", {}).get("extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba", one)
        assert shared in (octi.get("granted_refs") or octi.get("x_opencti_granted_refs")), one
    [file] = folder.iterdir()
    assert file.name.startswith("crowdsec-20") and file.suffix == ".json"
    content: dict[str, Any] = json.loads(file.read_text())
    assert content["bundle_type"] == "DIRECTORY_BUNDLE" and len(content["bundle"]["objects"]) == 4
    assert content["connector"]["id"] == CONNECTOR


# covers: bus:gone-work bus:send-to-queue key:CONNECTOR_SEND_TO_QUEUE
def test_nothing_is_sent_where_the_work_is_gone_or_the_queue_is_off(enrichment: Enrichment) -> None:
    program = enrichment.start()
    [one, other] = prepared(enrichment, ["45.0.0.9", "45.0.0.10"])
    enrichment.crowdsec.fault("latency", 500, times=1, path="/v2/*")
    enrichment.ask([one])
    program.wait_until(lambda: enrichment.opencti.calls("workEdit") == 1, "it has been received")
    enrichment.opencti.post("works/forget")
    program.wait_until(lambda: enrichment.opencti.calls("workEdit") >= 2, "it has tried to announce")
    program.stop()
    assert enrichment.bundles() == []

    enrichment.start(CONNECTOR_SEND_TO_QUEUE="false")
    edits = enrichment.opencti.calls("workEdit")
    enrichment.ask([other])
    eventually(lambda: enrichment.crowdsec.usage()["requests"] == 2, "the look-up")
    assert enrichment.bundles() == [] and enrichment.opencti.calls("workEdit") == edits


# Each of them differs from what the platform names, and a wrong one is refused.
# covers: bus:s3 key:CONNECTOR_SEND_TO_S3 key:CONNECTOR_SEND_TO_S3_BUCKET key:CONNECTOR_SEND_TO_S3_FOLDER
# covers: key:CONNECTOR_SEND_TO_S3_RETENTION key:S3_ENDPOINT key:S3_PORT key:S3_USE_SSL key:S3_ACCESS_KEY
# covers: key:S3_SECRET_KEY key:S3_BUCKET_REGION
@pytest.mark.parametrize("changes, folder, retention_ends", [
    ({}, "connectors/", True),
    ({"CONNECTOR_SEND_TO_S3_FOLDER": "from/sallyport/", "CONNECTOR_SEND_TO_S3_RETENTION": "10000"}, "from/sallyport/", False),
    ({"CONNECTOR_SEND_TO_S3_FOLDER": ".", "CONNECTOR_SEND_TO_S3_RETENTION": "0"}, "", False),
])
def test_bundles_lie_in_a_bucket_signed_and_for_as_long_as_wanted(
        changes: dict[str, str], folder: str, retention_ends: bool, enrichment: Enrichment) -> None:
    ours, others = f"{folder}crowdsec-20200101-000000-1.json", f"{folder}another-20200101-000000-1.json"
    old = {ours: ("2020-01-01T00:00:00.000Z", b"{}"), others: ("2020-01-01T00:00:00.000Z", b"{}")}
    with Bucket(dict(old)) as bucket:
        enrichment.start(
            CONNECTOR_SEND_TO_S3="true", CONNECTOR_SEND_TO_S3_BUCKET="intel", S3_ENDPOINT="127.0.0.1",
            S3_PORT=str(bucket.port), S3_USE_SSL="false", S3_ACCESS_KEY=ACCESS_KEY, S3_SECRET_KEY=SECRET_KEY,
            S3_BUCKET_REGION=REGION, **changes)
        [identity] = prepared(enrichment, ["45.0.0.9"])

        [work] = enrichment.ask([identity])

        enrichment.finished([work])
        assert bucket.refused == []
        assert others in bucket.objects, "another connector's is not ours to delete"
        assert (ours not in bucket.objects) == retention_ends
        [key] = set(bucket.objects) - set(old)
        assert key.startswith(f"{folder}crowdsec-20")
        content = json.loads(bucket.objects[key][1])
        assert content["bundle_type"] == "S3_BUNDLE" and len(content["bundle"]["objects"]) == 4


# covers: bus:pycti
def test_pycti_asks_and_reads_the_result(enrichment: Enrichment) -> None:
    enrichment.start()
    [identity] = prepared(enrichment, ["45.0.0.9"])

    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "clients" / "pycti_enrichment.py"), identity, CONNECTOR],
        env=enrichment.environment, capture_output=True, text=True, timeout=DEADLINE)

    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["work"]["status"] == "complete" and told["work"]["errors"] == []
    assert told["observable"]["observable_value"] == "45.0.0.9"
    assert [label["value"] for label in told["observable"]["objectLabel"]] == ["crowdsecurity/ssh-bf", "ssh bruteforce"]
