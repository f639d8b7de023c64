# SPDX-License-Identifier: Apache-2.0
"""pycti, the platform's own Python client, must be content with the OpenCTI simulator."""
from __future__ import annotations

from typing import Any

from support.feed import varied
from support.pycti import pycti_connector
from support.simulators import OpenCTISimulator

def step(steps: list[dict[str, Any]], name: str) -> dict[str, Any]:
    [found] = [one for one in steps if one["step"] == name]
    return found


# covers: octi:client
def test_registers_streams_pings_and_works(opencti: OpenCTISimulator, pycti_environment: dict[str, str]) -> None:
    feed = varied(40)
    opencti.load(feed.events)

    steps = pycti_connector(pycti_environment, len(feed.events))

    assert step(steps, "registered")["id"] == pycti_environment["CONNECTOR_ID"]
    assert step(steps, "registered")["stream"]["id"] == pycti_environment["CONNECTOR_LIVE_STREAM_ID"]
    events = [one for one in steps if one["step"] == "event"]
    assert [(one["id"], one["event"], one["data"]["data"]) for one in events] == [
        (event["id"], event["event"], event["data"]["data"]) for event in feed.events]
    assert step(steps, "state")["state"]["start_from"] == feed.last_id
    assert opencti.connector_state()["start_from"] == feed.last_id
    assert step(steps, "work")["work"]["status"] == "complete"


def test_resumes_from_the_state_at_the_platform(opencti: OpenCTISimulator, pycti_environment: dict[str, str]) -> None:
    feed = varied(30)
    opencti.load(feed.events)
    half = len(feed.events) // 2

    first = pycti_connector(pycti_environment, half)
    second = pycti_connector(pycti_environment, len(feed.events) - half)

    assert step(second, "registered")["state"] == step(first, "state")["state"]
    seen = [one["id"] for one in first + second if one["step"] == "event"]
    assert seen == [event["id"] for event in feed.events]
