# SPDX-License-Identifier: Apache-2.0
"""The connector of the tests: the original's environment, started as often as a test likes on one state."""
from __future__ import annotations

from typing import Any

from support.feed import Feed
from support.program import Program, Sallyport
from support.simulators import FalconSimulator, OpenCTISimulator

DROP_IN = ("run", "--connector", "opencti-crowdstrike")


class Flow:
    def __init__(
        self, sallyport: Sallyport, environment: dict[str, str], opencti: OpenCTISimulator, falcon: FalconSimulator,
    ) -> None:
        self.sallyport, self.environment = sallyport, environment
        self.opencti, self.falcon = opencti, falcon

    def start(self, *arguments: str, **settings: str) -> Program:
        return self.sallyport.start(*(arguments or DROP_IN), env={**self.environment, **settings})

    def run_until_it_stands(self, feed: Feed, **settings: str) -> None:
        """One run from start to graceful stop, at whose end the tenant is what the feed says."""
        program = self.start(**settings)
        program.wait_until(lambda: self.falcon.stands(feed.table), "the table stands")
        assert program.stop() == 0, program.err[-4000:]
        self.falcon.assert_stands(feed.table)

    def wait_until_read(self, program: Program, feed: Feed) -> None:
        """Until the position that the platform keeps has reached the feed's last event."""
        last = tuple(map(int, feed.last_id.split("-")))

        def reached() -> bool:
            start: Any = (self.opencti.connector_state() or {}).get("start_from", "0-0")
            return tuple(map(int, start.split("-"))) >= last

        program.wait_until(reached, "the position has reached the last event")
