# SPDX-License-Identifier: Apache-2.0
"""HarfangLab's side of the tests: the simulated console, and what must become of its events."""
from __future__ import annotations

import json
import uuid
from collections import Counter
from datetime import datetime
from typing import Any

from support.network import free_port
from support.program import Program, Sallyport
from support.simulators import CONNECTOR_ID, STREAM_ID, TOKEN, OpenCTISimulator, Simulator

CONSOLE_TOKEN = "8f2e6a0c5d9b4f17a3c8e1d06b7f94a2c5e8d013"
NAMESPACE = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")


class Console(Simulator):
    def rules(self, kind: str = "IOCRule") -> list[dict[str, Any]]:
        return self.lines(f"rules?kind={kind}")

    def values(self) -> set[tuple[str, str]]:
        found = [(rule["type"], rule["value"]) for rule in self.rules() if rule["enabled"]]
        assert len(found) == len(set(found)), "a rule stands there twice"
        return set(found)

    def generate(self, count: int, threats: int = 0) -> None:
        self.post("alerts/generate", {"count": count, "threats": threats})

    def events(self) -> list[dict[str, Any]]:
        return self.lines("alerts")

    def incidents(self) -> set[str]:
        """The ids that the invented events must have on the platform, by the originals' formula."""
        return {incident_id(event) for event in self.events()}


def incident_id(event: dict[str, Any]) -> str:
    subject = event["msg"].split("=", 1)[1] if event["alert_type"] == "ioc" else event["msg"]
    name = f"{subject} on {event['agent']['hostname']}".lower().strip()
    created = datetime.fromisoformat(event["alert_time"]).isoformat()
    data = json.dumps({"created": created, "name": name}, separators=(",", ":"), ensure_ascii=False)
    return f"incident--{uuid.uuid5(NAMESPACE, data)}"


class Exchange:
    """A connector between a platform and the console, in any of its three forms."""

    def __init__(self, sallyport: Sallyport, opencti: OpenCTISimulator, console: Console, **changes: str) -> None:
        self.sallyport, self.opencti, self.console = sallyport, opencti, console
        self.environment = {
            "OPENCTI_URL": opencti.url, "OPENCTI_TOKEN": TOKEN, "CONNECTOR_ID": CONNECTOR_ID,
            "CONNECTOR_NAME": "HarfangLab", "CONNECTOR_SCOPE": "harfanglab", "CONNECTOR_DURATION_PERIOD": "PT1S",
            "CONNECTOR_LIVE_STREAM_ID": STREAM_ID, "CONNECTOR_LOG_LEVEL": "info",
            "HARFANGLAB_URL": console.url, "HARFANGLAB_TOKEN": CONSOLE_TOKEN,
            "HARFANGLAB_SOURCE_LIST_NAME": "from_OpenCTI", "HARFANGLAB_REMOVE_INDICATOR": "true",
            "HARFANGLAB_RULE_MATURITY": "stable",
            "SALLYPORT_STATE_DIR": str(sallyport.folder / "state"), "SALLYPORT_GUARDRAILS": "off", **changes,
        }

    def start(self, connector: str, **changes: str) -> Program:
        listener = f"127.0.0.1:{free_port()}"
        return self.sallyport.start(
            "run", "--connector", connector,
            env={**self.environment, "SALLYPORT_HTTP_LISTEN": listener, **changes})

    # What came of it.

    def knowledge(self) -> Counter[str]:
        """STIX id → how often it was sent."""
        return Counter(self.opencti.get("knowledge")["objects"])

    def sent(self, kind: str = "incident") -> set[str]:
        return {identity for identity in self.knowledge() if identity.startswith(kind + "--")}

    def works(self) -> list[dict[str, Any]]:
        return self.opencti.state()["works"]
