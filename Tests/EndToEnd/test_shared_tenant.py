# SPDX-License-Identifier: Apache-2.0
"""Two flows into one tenant: what one writes or removes, the other may want at that very moment."""
from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from support.feed import Indicator, varied
from support.program import Sallyport
from support.simulators import (
    CLIENT_ID, CLIENT_SECRET, CONNECTOR_ID, STREAM_ID, TOKEN, FalconSimulator, OpenCTISimulator)

OTHER_ID = "2f6a5c0e-4d3b-4a7f-9c1d-8e2b7a6f5d33"


# covers: better:shared-target
@pytest.mark.parametrize("latency", [0, 25])
def test_two_flows_of_one_stream_end_with_one_table(
    latency: int, sallyport: Sallyport, opencti: OpenCTISimulator, falcon: FalconSimulator, tmp_path: Path,
) -> None:
    """Both read the same stream, so that every value comes to both at once; what nobody wants any more is gone."""
    feed = varied(120)
    opencti.load(feed.events)
    falcon.answer_after(latency)
    falcon.fault("status", 503, times=3, path="/iocs/*", skip=6)
    common = {
        "connector": "opencti-crowdstrike", "live_stream_id": STREAM_ID, "permanent_delete": True, "batch_size": 7}
    file = tmp_path / "sallyport.yaml"
    file.write_text(yaml.safe_dump({
        "http": {"listen": "127.0.0.1:0"}, "state": {"dir": str(sallyport.folder / "state")},
        "connections": {
            "opencti": {"url": opencti.url, "token": "${env:OPENCTI}"},
            "falcon": {"base_url": falcon.url, "client_id": CLIENT_ID, "client_secret": "${env:FALCON}"}},
        "flows": {"one": {**common, "id": CONNECTOR_ID}, "other": {**common, "id": OTHER_ID}},
    }))
    program = sallyport.start(
        "run", "--config", str(file),
        env={"OPENCTI": TOKEN, "FALCON": CLIENT_SECRET, "SALLYPORT_GUARDRAILS": "off"})
    program.wait_until(lambda: falcon.stands(feed.table), "the table stands")
    seen = len(feed.events)
    for number in range(40):
        feed.create(Indicator(1000 + number))
        feed.update(Indicator(1000 + number, score=90))
        feed.delete(Indicator(1000 + number), permanent=True)
        if number % 2:
            feed.create(Indicator(1000 + number, labels=["again"]))
    opencti.push(feed.events[seen:])
    program.wait_until(lambda: falcon.stands(feed.table), "the table stands after the live events")
    assert program.stop() == 0, program.err[-4000:]
    falcon.assert_stands(feed.table)
