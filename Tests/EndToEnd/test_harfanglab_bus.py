# SPDX-License-Identifier: Apache-2.0
"""HarfangLab's import over a real RabbitMQ, both directions in one process, and beside Falcon on one live stream."""
from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import stix2
import yaml

from support.broker import Broker
from support.contract import CASES
from support.feed import Feed, Indicator
from support.harfanglab import CONSOLE_TOKEN, NAMESPACE, Console, Exchange
from support.program import Sallyport, eventually
from support.simulators import (
    CLIENT_ID, CLIENT_SECRET, CONNECTOR_ID, STREAM_ID, TOKEN, FalconSimulator, OpenCTISimulator)

INCIDENTS = "harfanglab-incidents"


@pytest.fixture
def exchange(sallyport: Sallyport, bus_server: OpenCTISimulator, console: Console) -> Exchange:
    """Over RabbitMQ."""
    bus_server.reset()
    bus_server.settings(heartbeat_ms=50)
    return Exchange(sallyport, bus_server, console)


def assert_works_are_closed(exchange: Exchange, *, errors: int | None = None) -> None:
    """Each run's work has an end, and one that succeeded has as many messages behind it as were announced."""
    def closed() -> bool:
        return all(work["processed_time"] for work in exchange.works())
    eventually(closed, "every work is closed")
    works = exchange.works()
    broken = [work for work in works if work["errors"] or "ended before" in json.dumps(work)]
    if errors is not None:
        assert len(broken) == errors, works
    for work in works:
        if work not in broken:
            assert work["tracking"]["import_expected_number"] == work["tracking"]["import_processed_number"], work


# covers: incidents:amqp, incidents:split, incidents:stix2
def test_events_and_threats_go_over_rabbitmq_object_by_object(exchange: Exchange, console: Console) -> None:
    console.generate(150, threats=4)
    program = exchange.start(INCIDENTS, HARFANGLAB_INCIDENTS_IMPORT_THREATS="true")
    program.wait_until(lambda: exchange.sent() == console.incidents(), "every event is an incident")
    program.wait_until(lambda: len(exchange.sent("case-incident")) == 4, "every threat is a case")
    assert_works_are_closed(exchange, errors=0)
    assert program.stop() == 0

    bundles = exchange.opencti.lines("bundles")
    assert {bundle["way"] for bundle in bundles} == {"amqp"}
    assert all(len(bundle["objects"]) == 1 for bundle in bundles)
    for bundle in bundles:
        parsed = stix2.parse(
            {"type": "bundle", "id": f"bundle--{STREAM_ID}", "objects": [known(one) for one in bundle["objects"]]},
            allow_custom=True, version="2.1")
        assert len(parsed.objects) == 1
    # Nothing was sent twice but what each bundle carries along.
    counts = exchange.knowledge()
    assert {counts[one] for one in console.incidents()} == {1}


def known(thing: dict[str, Any]) -> dict[str, Any]:
    """Without what the splitter adds, and what is null: STIX has no nulls."""
    return {key: value for key, value in thing.items() if key != "nb_deps" and value is not None}


# covers: incidents:whole
def test_whole_bundles_carry_the_same(exchange: Exchange, console: Console) -> None:
    console.generate(120)
    program = exchange.start(INCIDENTS, CONNECTOR_BUNDLE_FORM="whole")
    program.wait_until(lambda: exchange.sent() == console.incidents(), "every event is an incident")
    assert program.stop() == 0
    assert any(len(bundle["objects"]) > 100 for bundle in exchange.opencti.lines("bundles"))


# covers: incidents:kill, incidents:work-cut-off
def test_an_import_killed_again_and_again_loses_nothing(exchange: Exchange, console: Console) -> None:
    console.generate(500, threats=5)
    console.fault("status", 429, times=3, probability=0.3, path="/api/data/*")
    console.fault("reset_after", times=3, probability=0.2, path="/api/data/alert/*")
    settings = {"HARFANGLAB_INCIDENTS_IMPORT_THREATS": "true"}
    for _ in range(3):
        before = sum(exchange.knowledge().values())
        program = exchange.start(INCIDENTS, **settings)
        program.wait_until(
            lambda before=before: sum(exchange.knowledge().values()) > before or exchange.sent() == console.incidents(),
            "something was sent")
        program.kill()
    program = exchange.start(INCIDENTS, **settings)
    program.wait_until(lambda: exchange.sent() == console.incidents(), "every event is an incident")
    program.wait_until(lambda: len(exchange.sent("case-incident")) == 5, "every threat is a case")
    program.wait_until(lambda: "A run is over" in program.err, "the run is over")
    assert program.stop() == 0
    assert_works_are_closed(exchange)


# covers: incidents:broker-restart
def test_an_import_outlives_the_broker(exchange: Exchange, console: Console, broker_server: Broker) -> None:
    console.generate(600)
    program = exchange.start(INCIDENTS)
    program.wait_until(lambda: len(exchange.sent()) > 50, "incidents are on their way")
    broker_server.restart()
    program.wait_until(lambda: exchange.sent() == console.incidents(), "every event is an incident")
    assert program.stop() == 0


# covers: both:kill, both:works, both:state
def test_both_directions_in_one_process_are_killed_again_and_again(exchange: Exchange, console: Console) -> None:
    feed = Feed()
    for number in range(150):
        feed.create(Indicator(number))
    exchange.opencti.load(feed.events)
    wanted = {("domain_name", Indicator(number).value) for number in range(150)}
    console.generate(300, threats=3)
    console.fault("status", 503, times=10, probability=0.2, path="/api/data/*")
    settings = {
        "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS": "true", "HARFANGLAB_IMPORT_THREATS_AS_CASE_INCIDENTS": "true"}

    def there() -> int:
        return len(console.values()) + len(exchange.sent())

    def stands() -> bool:
        return console.values() >= wanted and exchange.sent() == console.incidents()

    for _ in range(3):
        before = there()
        program = exchange.start("harfanglab", **settings)
        program.wait_until(lambda before=before: there() > before or stands(), "something has come over")
        program.kill()
    program = exchange.start("harfanglab", **settings)
    program.wait_until(stands, "rules and incidents")
    program.wait_until(lambda: len(exchange.sent("case-incident")) == 3, "every threat is a case")
    program.wait_until(lambda: "A run is over" in program.err, "the run is over")
    assert program.stop() == 0
    assert_works_are_closed(exchange)
    # The import is known by an id of its own: its state and its works are not the stream's.
    assert {work["event_source_id"] for work in exchange.works()} == {import_id()}
    state = exchange.opencti.connector_state() or {}
    assert "last_incident_datetime" not in state


def import_id() -> str:
    return str(uuid.uuid5(NAMESPACE, f"{CONNECTOR_ID} incidents"))


# covers: incidents:reset-kill
def test_a_reset_outlives_a_kill(exchange: Exchange, console: Console) -> None:
    console.generate(40)
    exchange.environment["CONNECTOR_DURATION_PERIOD"] = "PT1H"
    program = exchange.start(INCIDENTS)
    program.wait_until(lambda: (exchange.opencti.connector_state() or {}).get("last_incident_datetime"), "the first run")
    assert program.stop() == 0
    exchange.opencti.reset_connector_state()
    before = exchange.knowledge()
    program = exchange.start(INCIDENTS)
    program.wait_until(
        lambda: all(exchange.knowledge()[one] > before[one] for one in console.incidents()), "everything comes again")
    program.kill()


# covers: stream:two-targets
@pytest.mark.parametrize("down", ["falcon", "console"])
def test_an_outage_of_one_target_does_not_delay_the_other(
    sallyport: Sallyport, opencti: OpenCTISimulator, falcon: FalconSimulator, console: Console, tmp_path: Path, down: str,
) -> None:
    feed = Feed()
    for number in range(120):
        feed.create(Indicator(number))
    opencti.load(feed.events)
    wanted = {("domain_name", Indicator(number).value) for number in range(120)}
    if down == "falcon":
        falcon.fault("status", 503, times=None, path="/iocs/*")
    else:
        console.fault("status", 503, times=None, path="/api/data/threat_intelligence/IOCRule*")
    file = tmp_path / "sallyport.yaml"
    file.write_text(yaml.safe_dump({
        "http": {"listen": "127.0.0.1:0"}, "state": {"dir": str(sallyport.folder / "state")},
        "connections": {
            "opencti": {"url": opencti.url, "token": "${env:OPENCTI}"},
            "falcon": {"base_url": falcon.url, "client_id": CLIENT_ID, "client_secret": "${env:FALCON}"},
            "harfanglab": {"url": console.url, "token": "${env:HARFANGLAB}"}},
        "flows": {
            "to-falcon": {"connector": "opencti-crowdstrike", "id": CONNECTOR_ID, "live_stream_id": STREAM_ID},
            "to-harfanglab": {
                "connector": "harfanglab-intel", "id": "6b8d1c1e-7c1b-4b0e-9b1e-0d8f3b0f7a11",
                "live_stream_id": STREAM_ID, "source_list_name": "from_OpenCTI", "remove_indicator": True,
                "rule_maturity": "stable"}},
    }))
    program = sallyport.start(
        "run", "--config", str(file),
        env={"OPENCTI": TOKEN, "FALCON": CLIENT_SECRET, "HARFANGLAB": CONSOLE_TOKEN, "SALLYPORT_GUARDRAILS": "off"})
    if down == "falcon":
        program.wait_until(lambda: console.values() == wanted, "the console has its rules")
        assert not falcon.iocs()
        falcon.heal()
    else:
        program.wait_until(lambda: falcon.stands(feed.table), "the tenant has its IOCs")
        assert not console.values()
        console.heal()
    program.wait_until(lambda: console.values() == wanted and falcon.stands(feed.table), "both stand")
    assert program.stop() == 0


# covers: vectors:hl-stix2
def test_every_expected_object_is_stix() -> None:
    cases = json.loads((CASES / "harfanglab-expected-stix.json").read_text(encoding="utf-8"))
    count = 0
    for case in cases["alerts"] + cases["threats"]:
        objects = [
            {key: value for key, value in thing.items() if value != "<any>"} for thing in case["expected"].get("objects", [])]
        if objects:
            bundle = {"type": "bundle", "id": f"bundle--{STREAM_ID}", "objects": objects}
            count += len(stix2.parse(bundle, allow_custom=True, version="2.1").objects)
    assert count > 300


# covers: both:plan
def test_a_plan_shows_both_directions(exchange: Exchange, console: Console) -> None:
    feed = Feed()
    feed.create(Indicator(1))
    exchange.opencti.load(feed.events)
    console.generate(3)
    done = exchange.sallyport.run(
        "plan", "--connector", "harfanglab",
        env={**exchange.environment, "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS": "true"})
    assert done.status == 0, done.out + done.err
    assert Indicator(1).value in done.out
    assert done.out.count("incident: ") == 3, done.out
    assert not exchange.sent() and ("domain_name", Indicator(1).value) not in console.values()
