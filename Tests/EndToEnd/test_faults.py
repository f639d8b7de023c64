# SPDX-License-Identifier: Apache-2.0
"""The release binary under faults. Each ends with the tenant holding exactly what the feed says: nothing lost, nothing twice."""
from __future__ import annotations

import random

import pytest

from support.feed import Feed, Indicator, varied
from support.flow import Flow
from support.program import eventually
from support.simulators import FalconSimulator, OpenCTISimulator


# covers: fault:kill, better:order, stream:commit-after-effect
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kill_in_a_loop_loses_and_doubles_nothing(
    seed: int, flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    moments = random.Random(seed)
    feed = varied(1_500)
    opencti.load(feed.events)
    falcon.answer_after(milliseconds=5)
    for _ in range(8):
        program = flow.start(CROWDSTRIKE_BATCH_SIZE="25", CROWDSTRIKE_PERMANENT_DELETE="true")
        enough = falcon.writes() + moments.randint(1, 12)
        eventually(lambda: falcon.writes() >= enough or falcon.stands(feed.table), "some progress between two kills")
        program.kill()
    program = flow.start(CROWDSTRIKE_PERMANENT_DELETE="true")
    program.wait_until(lambda: falcon.stands(feed.table), "the table stands")
    assert program.stop() == 0
    falcon.assert_stands(feed.table)


# covers: fault:kill (in a recovery), state:crash-in-recovery
@pytest.mark.parametrize("permanent", ["false", "true"])
def test_what_was_written_before_a_crash_and_deleted_since_leaves(
    permanent: str, flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    """The replay of the platform's database no longer shows it: only the event of its deletion does."""
    feed = Feed()
    for number in range(6):
        feed.create(Indicator(number))
    opencti.load(feed.events)
    falcon.fault("reset_after", times=None, method="POST", path="/iocs/*", skip=1)
    program = flow.start(CROWDSTRIKE_PERMANENT_DELETE=permanent, CROWDSTRIKE_BATCH_SIZE="3")
    program.wait_until(lambda: len(falcon.iocs()) == 6, "all are written, and no answer came for the last three")
    program.kill()
    falcon.heal()
    for number in range(2, 5):
        feed.delete(Indicator(number), permanent=permanent == "true")
    opencti.push(feed.events[6:])
    flow.run_until_it_stands(feed, CROWDSTRIKE_PERMANENT_DELETE=permanent)


# covers: fault:secret (looked for in all that every test leaves), fault:storm, falcon:429, falcon:5xx, bug:5
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_storm_of_refusals_passes(
    status: int, flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    feed = varied(300)
    opencti.load(feed.events)
    falcon.refuse(status, times=10)
    program = flow.start(CROWDSTRIKE_BATCH_SIZE="20", CROWDSTRIKE_PERMANENT_DELETE="true")
    program.wait_until(lambda: falcon.stands(feed.table), "the table stands")
    assert program.stop() == 0


# covers: fault:cut
@pytest.mark.parametrize("where", ["reset_before", "reset_after"])
def test_falcon_cuts_connections(
    where: str, flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    """After: the write was applied and its answer lost, so a blind repetition would be refused as a duplicate."""
    feed = varied(300)
    opencti.load(feed.events)
    falcon.fault(where, times=12, probability=0.4, path="/iocs/*")
    program = flow.start(CROWDSTRIKE_BATCH_SIZE="20", CROWDSTRIKE_PERMANENT_DELETE="true")
    program.wait_until(lambda: falcon.stands(feed.table), "the table stands")
    assert program.stop() == 0


# covers: fault:cut (of the stream), stream:reconnect, stream:cut-in-group, stream:shared-ids
@pytest.mark.parametrize("way", ["reset", "end"])
@pytest.mark.parametrize("place", ["between", "inside", "group"])
def test_opencti_cuts_the_stream_anywhere(
    place: str, way: str, flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    feed = varied(300)
    feed.share_ids()
    opencti.load(feed.events)
    opencti.cut_stream(frames=60, place=place, way=way, times=4)
    program = flow.start(CROWDSTRIKE_PERMANENT_DELETE="true")
    program.wait_until(lambda: falcon.stands(feed.table), "the table stands")
    assert opencti.connections() == 5
    assert program.stop() == 0


# covers: fault:slow, better:back-pressure
def test_a_slow_target_slows_the_reader(flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator) -> None:
    feed = varied(2_000)
    opencti.load(feed.events)
    falcon.answer_after(milliseconds=200)
    program = flow.start(CROWDSTRIKE_PERMANENT_DELETE="true")
    program.wait_until(lambda: falcon.stands(feed.table), "the table stands")
    assert program.stop() == 0


# covers: fault:token-expiry, falcon:token-401
def test_an_expired_token_is_renewed(flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator) -> None:
    feed = Feed()
    feed.create(Indicator(1))
    opencti.load(feed.events)
    program = flow.start()
    program.wait_until(lambda: falcon.stands(feed.table), "the first IOC")
    falcon.expire_tokens()
    feed.create(Indicator(2))
    opencti.push(feed.events[-1:])
    program.wait_until(lambda: falcon.stands(feed.table), "the second IOC")
    assert program.stop() == 0


# covers: better:idempotent
def test_a_replay_writes_nothing(flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator) -> None:
    feed = varied(500, deletes=False)
    opencti.load(feed.events)
    flow.run_until_it_stands(feed)
    before, listings = falcon.writes(), falcon.calls("indicator_combined_v1")
    opencti.reset_connector_state()
    program = flow.start()
    flow.wait_until_idle(program, len(feed.events))
    assert program.stop() == 0
    falcon.assert_stands(feed.table)
    assert falcon.writes() == before
    assert falcon.calls("indicator_combined_v1") == listings, "it began twice, or read the tenant without need"
