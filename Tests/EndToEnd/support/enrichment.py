# SPDX-License-Identifier: Apache-2.0
"""An enrichment connector at work: the platform and CrowdSec simulated, the message bus real."""
from __future__ import annotations

import itertools
import json
from typing import Any

from support.program import Program, Sallyport, eventually
from support.simulators import CROWDSEC_KEY, TOKEN, CrowdSecSimulator, OpenCTISimulator

CONNECTOR = "9b2f6c1e-3d4a-4f7b-8c1d-2e3f4a5b6c7d"


class Enrichment:
    def __init__(self, sallyport: Sallyport, opencti: OpenCTISimulator, crowdsec: CrowdSecSimulator) -> None:
        self.sallyport, self.opencti, self.crowdsec = sallyport, opencti, crowdsec
        # What the platform grants a connector's user, and labels besides.
        opencti.settings(capabilities=[
            "CONNECTORAPI", "MODULES", "KNOWLEDGE", "KNOWLEDGE_KNUPDATE", "SETTINGS_SETLABELS",
            "KNOWLEDGE_KNASKIMPORT"])
        self.environment = {
            "OPENCTI_URL": opencti.url, "OPENCTI_TOKEN": TOKEN, "CONNECTOR_ID": CONNECTOR,
            "CONNECTOR_NAME": "CrowdSec", "CONNECTOR_LOG_LEVEL": "info", "CROWDSEC_KEY": CROWDSEC_KEY,
            "CROWDSEC_API_URL": crowdsec.url, "SALLYPORT_HTTP_LISTEN": "127.0.0.1:0",
            "SALLYPORT_STATE_DIR": str(sallyport.folder / "state"),
        }

    def launch(self, **changes: str) -> Program:
        """Starts it, whatever becomes of that."""
        return self.sallyport.start("run", "--connector", "crowdsec", env={**self.environment, **changes})

    def start(self, **changes: str) -> Program:
        before = self.opencti.state()["registrations"]
        program = self.launch(**changes)
        program.wait_until(lambda: self.opencti.state()["registrations"] > before, "the connector has registered")
        return program

    # What the platform asks.

    def observables(self, *values: str, **details: Any) -> list[str]:
        kinds = ["IPv6-Addr" if ":" in value else "IPv4-Addr" for value in values]
        answer = self.opencti.ask("POST", "observables", [
            {"type": kind, "value": value, **details} for kind, value in zip(kinds, values, strict=True)])
        return json.loads(answer)["ids"]

    def ask(self, ids: list[str], **order: Any) -> list[str]:
        return json.loads(self.opencti.ask("POST", "enrichments", {"entities": ids, **order}))["works"]

    def send(self, *raw: Any) -> None:
        self.opencti.post("enrichments", {"raw": list(raw)})

    # What came of it.

    def works(self) -> dict[str, dict[str, Any]]:
        return {work["id"]: work for work in self.opencti.state()["works"]}

    def work(self, identity: str) -> dict[str, Any]:
        return self.works()[identity]

    def ended(self, works: list[str]) -> bool:
        known = self.works()
        # The worker may be through before the connector has told that it is.
        return all(known[work]["status"] == "complete" and known[work]["processed_time"] for work in works)

    def finished(self, works: list[str]) -> dict[str, dict[str, Any]]:
        eventually(lambda: self.ended(works), f"{len(works)} works are complete")
        known = self.works()
        return {work: known[work] for work in works}

    def error(self, work: str) -> str:
        """The text an analyst reads in the work's errors."""
        [error] = self.finished([work])[work]["errors"]
        return error["message"]

    def message(self, work: str) -> str:
        return self.finished([work])[work]["messages"][-1]["message"]

    def knowledge(self) -> dict[str, Any]:
        return self.opencti.get("knowledge")

    def bundles(self) -> list[dict[str, Any]]:
        return self.opencti.lines("bundles")


NUMBERS = itertools.count(1 << 16)


def addresses(count: int) -> list[str]:
    """Addresses that no other test uses: a bundle that an earlier one left in RabbitMQ must not show up as this one's."""
    return [
        f"45.{number >> 16}.{(number >> 8) & 255}.{number & 255}" for number in itertools.islice(NUMBERS, count)]


def known_answer(address: str) -> dict[str, Any]:
    """A small record, so that what comes of an address is known."""
    return {
        "status": 200,
        "body": {
            "ip": address, "reputation": "malicious", "confidence": "high",
            "history": {"first_seen": "2026-01-02T03:04:05+00:00", "last_seen": "2026-02-03T04:05:06+00:00"},
            "behaviors": [], "classifications": {}, "target_countries": {"FR": 100}, "mitre_techniques": [],
            "cves": [], "references": [],
            "attack_details": [
                {"name": "crowdsecurity/ssh-bf", "label": "SSH Bruteforce", "description": "", "references": []}],
        },
    }
