# SPDX-License-Identifier: Apache-2.0
"""What the shared cases leave out: references, adoption, quota, state, resume, old names."""
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.feed import OCTI, Feed, Indicator, varied
from support.flow import Flow
from support.pycti import pycti_connector
from support.simulators import CLIENT_ID, FalconSimulator, OpenCTISimulator

PERMANENT = {"CROWDSTRIKE_PERMANENT_DELETE": "true"}


def with_value_of(indicator: Indicator, number: int, **changes: object) -> Indicator:
    """Another indicator with the same value."""
    other = Indicator(number, indicator.kind, pattern=indicator.stix()["pattern"])
    for name, value in changes.items():
        setattr(other, name, value)
    return other


def run(flow: Flow, opencti: OpenCTISimulator, feed: Feed, table: dict, **settings: str) -> None:
    """Feeds everything and waits until the tenant holds `table`."""
    feed.table = table
    opencti.load(feed.events)
    flow.run_until_it_stands(feed, **settings)


# References.


# covers: reference:count, reference:latest, reference:remaining, bug:16
def test_a_value_of_two_indicators_follows_the_latest_and_leaves_with_the_last(
    flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    first = Indicator(1, score=90, labels=["first"])
    second = with_value_of(first, 2, score=10, labels=["second"])
    feed = Feed()
    feed.create(first)
    feed.create(second)
    opencti.load(feed.events)
    key = first.key
    latest = {key: {**second.ioc(), "value": key[1]}}
    program = flow.start(**PERMANENT)
    program.wait_until(lambda: falcon.stands(latest), "the latest event's fields stand")
    feed.delete(second, permanent=True)
    opencti.push(feed.events[-1:])
    program.wait_until(lambda: falcon.stands({key: first.ioc()}), "the remaining one's fields stand again")
    feed.delete(first, permanent=True)
    opencti.push(feed.events[-1:])
    program.wait_until(lambda: falcon.stands({}), "it leaves with the last")
    assert program.stop() == 0


# covers: pattern:past-expiry, removal:revoked, event:no-pattern-type, pattern:observable-values, bug:22
def test_what_a_platform_sends_beside_plain_indicators(flow: Flow, opencti: OpenCTISimulator) -> None:
    live, expired, revoked = Indicator(1), Indicator(2, valid_until="2020-01-01T00:00:00.000Z"), Indicator(3, revoked=True)
    feed = Feed()
    for indicator in (live, Indicator(2), Indicator(3)):
        feed.create(indicator)
    feed.update(expired)
    feed.update(revoked)
    without_type = Indicator(4).stix()
    del without_type["pattern_type"]
    feed._append("create", without_type)
    # The platform lists the value of a negated comparison like any other.
    negated = Indicator(5, pattern="[domain-name:value != 'good.example']").stix()
    negated["extensions"][OCTI]["observable_values"] = [{"type": "Domain-Name", "value": "good.example"}]
    feed._append("create", negated)
    undetected = Indicator(6).stix()
    undetected["extensions"][OCTI]["detection"] = False
    undetected["confidence"] = 0
    undetected["valid_from"] = "2090-01-01T00:00:00.000Z"
    feed._append("create", undetected)
    run(flow, opencti, feed, {live.key: live.ioc(), Indicator(6).key: Indicator(6).ioc()}, **PERMANENT)


# covers: field:severity-source
@pytest.mark.parametrize("place", ["extension", "observable extension", "own key"])
def test_the_score_is_found_where_the_platform_puts_it(place: str, flow: Flow, opencti: OpenCTISimulator) -> None:
    stix = Indicator(1).stix()
    del stix["extensions"][OCTI]["score"]
    match place:
        case "extension":
            stix["extensions"][OCTI]["score"] = 85
            stix["score"] = 1
        case "observable extension":
            stix["extensions"]["extension-definition--f93e2c80-4231-4f9a-af8b-95c9bd566a82"] = {"score": 85}
        case "own key":
            stix["score"] = 85
    feed = Feed()
    feed._append("create", stix)
    run(flow, opencti, feed, {Indicator(1).key: {**Indicator(1).ioc(), "severity": "critical"}})


# covers: better:fold, better:idempotent, bug:17
def test_a_burst_on_one_value_is_a_handful_of_writes_and_no_search(
    flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    feed = Feed()
    for score in range(100):
        feed.create(Indicator(1, score=score))
    opencti.load(feed.events)
    flow.run_until_it_stands(feed)
    assert falcon.writes() <= 10
    assert falcon.calls("indicator_search_v1") == 0


# Adoption, reconciliation, quota.


def ioc(indicator: Indicator, creator: str, **fields: object) -> dict:
    return {
        "id": f"{indicator.number:064x}", "type": indicator.kind, "value": indicator.value, "action": "detect",
        "mobile_action": "detect", "severity": "low", "platforms": ["windows", "mac", "linux"], "applied_globally": True,
        "source": "OpenCTI IOC", "tags": [], "created_by": creator, **fields}


# covers: better:reconcile, state:no-ledger, bug:19, key:CROWDSTRIKE_ADOPT, key:CROWDSTRIKE_OWNED_CLIENT_IDS, falcon:actions
@pytest.mark.parametrize("settings, is_taken", [
    ({}, False), ({"CROWDSTRIKE_ADOPT": "any"}, True), ({"CROWDSTRIKE_OWNED_CLIENT_IDS": "a, b"}, True),
], ids=["own", "any", "listed"])
def test_a_first_start_takes_over_what_is_ours(
    settings: dict[str, str], is_taken: bool, flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    ours, theirs = Indicator(1, score=90), Indicator(2, score=90)
    falcon.load([ioc(ours, CLIENT_ID), ioc(theirs, "b")])
    feed = Feed()
    feed.create(ours)
    feed.create(theirs)
    run(flow, opencti, feed, {
        ours.key: {**ours.ioc(), "id": f"{1:064x}"},
        theirs.key: {"severity": "critical" if is_taken else "low", "id": f"{2:064x}", "created_by": "b"},
    }, **settings)


# covers: better:partial, falcon:partial
def test_items_that_a_201_leaves_out_arrive_all_the_same(
    flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    falcon.settings(fails_every=7)
    feed = varied(100)
    opencti.load(feed.events)
    flow.run_until_it_stands(feed, **PERMANENT)


# covers: better:quota, falcon:quota, key:CROWDSTRIKE_IOC_CEILING
def test_creation_waits_at_the_ceiling_and_goes_on_when_there_is_room(
    flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    feed = Feed()
    indicators = [Indicator(number) for number in range(12)]
    for indicator in indicators:
        feed.create(indicator)
    opencti.load(feed.events)
    program = flow.start(CROWDSTRIKE_IOC_CEILING="10", CROWDSTRIKE_BATCH_SIZE="1", **PERMANENT)
    program.wait_until(lambda: "quota" in flow.trouble() or "ceiling" in flow.trouble(), "health names the ceiling")
    assert len(falcon.iocs()) == 10
    for indicator in indicators[:2]:
        feed.delete(indicator, permanent=True)
    opencti.push(feed.events[12:])
    program.wait_until(lambda: falcon.stands(feed.table), "the last two found room")
    assert program.stop() == 0


# covers: better:validation, field:platforms, falcon:actions
def test_platforms_that_the_tenant_refuses_are_not_sent(
    flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    stix = Indicator(1).stix()
    stix["extensions"]["extension-definition--322b8f77-262a-4cb8-a915-1e441e00329b"]["platforms"] = ["Windows", "android"]
    feed = Feed()
    feed._append("create", stix)
    run(flow, opencti, feed, {Indicator(1).key: {"platforms": ["windows"]}}, CROWDSTRIKE_FALCON_FOR_MOBILE_ACTIVE="true")
    assert falcon.calls("indicator_create_v1", 400) == 0


# covers: key:CROWDSTRIKE_MEMBER_CID, falcon:member-cid
def test_a_member_cid_leads_to_the_childs_table(flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator) -> None:
    feed = Feed()
    feed.create(Indicator(1))
    opencti.load(feed.events)
    program = flow.start(CROWDSTRIKE_MEMBER_CID=f"{'A1' * 16}-2F")
    program.wait_until(lambda: len(falcon.lines(f"iocs?cid={'a1' * 16}")) == 1, "the child has the IOC")
    assert falcon.iocs() == []
    assert program.stop() == 0


# Position and state.


# covers: state:form, state:platform-wins, better:upsert
def test_switching_to_and_fro_keeps_the_position(
    flow: Flow, opencti: OpenCTISimulator, pycti_environment: dict[str, str],
) -> None:
    feed = varied(40)
    opencti.load(feed.events)
    half = len(feed.events) // 2
    pycti_connector(pycti_environment, half)
    assert opencti.connector_state()["start_from"] == feed.events[half - 1]["id"]
    flow.run_until_it_stands(feed, **PERMANENT)
    state = opencti.connector_state()
    assert {"start_from", "recover_until"} <= state.keys()
    back = pycti_connector(pycti_environment, 0)
    assert back[0]["state"] == state


# covers: state:old-names
def test_a_state_of_the_first_versions_is_understood(flow: Flow, opencti: OpenCTISimulator) -> None:
    feed = varied(20)
    opencti.load(feed.events)
    opencti.set_connector_state({"connectorLastEventId": "-", "connectorStartTime": "2026-01-01T00:00:00Z", "other": 1})
    flow.run_until_it_stands(feed, **PERMANENT)
    state = opencti.connector_state()
    assert state["other"] == 1 and "connectorLastEventId" not in state and state["start_from"]


# covers: state:reset, octi:ping-reset
def test_a_reset_in_the_platform_starts_again(flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator) -> None:
    feed = Feed()
    feed.create(Indicator(1))
    opencti.load(feed.events)
    flow.run_until_it_stands(feed)
    opencti.reset_connector_state()
    falcon.ask("POST", "reset", {})
    # The tenant lost it, and nobody told us: only a full reading brings it back.
    before = opencti.connections()
    program = flow.start()
    program.wait_until(lambda: opencti.connections() > before, "it reads again")
    program.stop()


# covers: state:never-ahead, stream:commit-after-effect
def test_the_platform_never_knows_more_than_is_durable(
    flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    feed = varied(100)
    opencti.load(feed.events)
    falcon.fault("status", 503, times=None, method="POST", path="/iocs/*")
    program = flow.start(**PERMANENT)
    program.wait_until(lambda: falcon.calls("indicator_create_v1") >= 2, "writes are refused")
    program.stop()
    state = opencti.connector_state() or {}
    assert state.get("start_from", "0-0") in ("0-0", *[event["id"] for event in feed.events[:2]])
    falcon.heal()
    flow.run_until_it_stands(feed, **PERMANENT)


# covers: state:ephemeral
def test_a_state_without_volume_is_warned_of(flow: Flow, opencti: OpenCTISimulator) -> None:
    feed = Feed()
    feed.create(Indicator(1))
    opencti.load(feed.events)
    folder = Path("/dev/shm") / f"sallyport-{flow.environment['CONNECTOR_ID']}-{id(feed)}"
    try:
        flow.run_until_it_stands(feed, SALLYPORT_STATE_DIR=str(folder))
        assert "outlive" in flow.sallyport.started[-1].err
    finally:
        shutil.rmtree(folder, ignore_errors=True)
