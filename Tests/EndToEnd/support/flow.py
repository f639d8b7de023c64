# SPDX-License-Identifier: Apache-2.0
"""The connector of the tests: the original's environment, started as often as a test likes on one state."""
from __future__ import annotations

import json
import re
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass

from support.feed import Feed
from support.program import Program, Sallyport
from support.simulators import FalconSimulator, OpenCTISimulator

DROP_IN = ("run", "--connector", "opencti-crowdstrike")
SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:]\w*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Metrics:
    """One reading of /metrics."""

    text: str

    def samples(self, series: str) -> list[tuple[dict[str, str], float]]:
        return [
            (dict(LABEL.findall(match["labels"] or "")), float(match["value"]))
            for line in self.text.splitlines() if (match := SAMPLE.match(line)) and match["name"] == series]

    def sum(self, series: str, **labels: str) -> float:
        return sum(value for found, value in self.samples(series) if labels.items() <= found.items())


class Flow:
    def __init__(
        self, sallyport: Sallyport, environment: dict[str, str], opencti: OpenCTISimulator, falcon: FalconSimulator,
    ) -> None:
        self.sallyport, self.environment = sallyport, environment
        self.opencti, self.falcon = opencti, falcon
        self.listener = ""

    def start(self, *arguments: str, **settings: str) -> Program:
        self.listener = f"127.0.0.1:{free_port()}"
        return self.sallyport.start(
            *(arguments or DROP_IN),
            env={**self.environment, "SALLYPORT_HTTP_LISTEN": self.listener, **settings})

    def get(self, path: str, listener: str | None = None) -> tuple[int, str]:
        """Status and text of one of the program's own pages; 0 while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://{listener or self.listener}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return 0, ""

    def metrics(self) -> Metrics:
        """Empty while the listener is not yet there. Kept among what the program wrote: no secret may be in it."""
        text = self.get("/metrics")[1]
        (self.sallyport.logs / "metrics.txt").write_text(text)
        return Metrics(text)

    def trouble(self) -> str:
        """Why it is not ready; empty while it is, or while it only starts."""
        status, text = self.get("/health/ready")
        if status != 503:
            return ""
        reasons = [part.get("reason", "") for part in json.loads(text)["components"] if part["status"] == "not_ready"]
        return "; ".join(reason for reason in reasons if reason != "starting")

    def run_until_it_stands(self, feed: Feed, **settings: str) -> None:
        """One run from start to graceful stop, at whose end the tenant is what the feed says."""
        program = self.start(**settings)
        # The table may stand from a run before: a program that does not listen yet takes no signal yet either.
        program.wait_until(lambda: self.get("/health/live")[0] == 200, "it is there")
        program.wait_until(lambda: self.falcon.stands(feed.table), "the table stands")
        assert program.stop() == 0, program.err[-4000:]
        self.falcon.assert_stands(feed.table)

    def wait_until_idle(self, program: Program, events: int) -> Metrics:
        """Until so many events have been read and each has ended in an outcome, or the flow waits for a missing scope."""
        def idle() -> Metrics | None:
            now = self.metrics()
            is_done = now.sum("processed_messages_total") >= events and not now.sum("sallyport_items_open")
            return now if is_done or "IOC Management" in self.trouble() else None

        return program.wait_until(idle, f"{events} events have been read and have ended")
