# SPDX-License-Identifier: Apache-2.0
"""CrowdSec's connector between a simulated platform and a simulated service."""
from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from support.network import free_port
from support.program import Program, Result, Sallyport
from support.simulators import CONNECTOR_ID, CROWDSEC_KEY, TOKEN, CrowdSecSimulator, OpenCTISimulator

# Everything the connector's user may need, labels included.
CAPABILITIES = [
    "CONNECTORAPI", "KNOWLEDGE", "KNOWLEDGE_KNUPDATE", "KNOWLEDGE_KNASKIMPORT", "MODULES", "SETTINGS_SETLABELS"]


@dataclass
class Enrichment:
    """The platform, the service, and the connector between them."""

    sallyport: Sallyport
    opencti: OpenCTISimulator
    crowdsec: CrowdSecSimulator
    settings: dict[str, str] = field(default_factory=dict)
    # Over RabbitMQ, which the platform must have, or over HTTP.
    over_bus: bool = False

    def __post_init__(self) -> None:
        self.port = free_port()
        self.opencti.settings(capabilities=CAPABILITIES)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "OPENCTI_URL": self.opencti.url, "OPENCTI_TOKEN": TOKEN, "CONNECTOR_ID": CONNECTOR_ID,
            "CONNECTOR_TYPE": "INTERNAL_ENRICHMENT", "CONNECTOR_NAME": "CrowdSec",
            "CONNECTOR_SCOPE": "IPv4-Addr,IPv6-Addr", "CONNECTOR_LOG_LEVEL": "info",
            **({} if self.over_bus else {
                "CONNECTOR_LISTEN_PROTOCOL": "API", "CONNECTOR_LISTEN_PROTOCOL_API_PORT": str(self.port),
                "CONNECTOR_LISTEN_PROTOCOL_API_ADDR": "127.0.0.1", "CONNECTOR_QUEUE_PROTOCOL": "api"}),
            "CROWDSEC_KEY": CROWDSEC_KEY, "CROWDSEC_API_URL": self.crowdsec.url,
            "SALLYPORT_STATE_DIR": str(self.sallyport.folder / "state"), "SALLYPORT_HTTP_LISTEN": "127.0.0.1:0", "SALLYPORT_LOG_FORMAT": "logfmt",
            **self.settings}

    def start(self) -> Program:
        program = self.sallyport.start("run", "crowdsec", env=self.environment)
        line = "Reading requests from RabbitMQ" if self.over_bus else "Listening for requests"
        program.wait_until(lambda: line in program.err + program.out, "the connector listens")
        return program

    def add(self, value: str, **details: Any) -> str:
        [identity] = json.loads(self.opencti.ask(
            "POST", "observables", [{"type": "IPv6-Addr" if ":" in value else "IPv4-Addr", "value": value, **details}]))["ids"]
        return identity

    def ask(self, *entities: str, **order: Any) -> list[str]:
        return json.loads(self.opencti.ask(
            "POST", "enrichments", {"entities": list(entities), "connector": CONNECTOR_ID, **order}))["works"]

    def work(self, identity: str) -> dict[str, Any]:
        return self.opencti.graphql(
            "query W($id: ID!) { work(id: $id) { id status processed_time messages { message } errors { message } } }",
            {"id": identity})["work"]

    def ended(self, program: Program, identity: str) -> dict[str, Any]:
        """The work, once the connector has said how it ended and the platform has taken all that it announced."""
        return program.wait_until(
            lambda: (work := self.work(identity))["processed_time"] and work["status"] == "complete" and work,
            f"the end of {identity}")

    def enrich(self, program: Program, value: str, **details: Any) -> dict[str, Any]:
        return self.ended(program, self.ask(self.add(value, **details))[0])

    def bundles(self) -> list[list[dict[str, Any]]]:
        return [line["objects"] for line in self.opencti.lines("bundles")]

    def knowledge(self) -> dict[str, Any]:
        return self.opencti.get("knowledge")

    def entity(self, value: str) -> dict[str, Any]:
        [found] = [entity for entity in self.knowledge()["entities"] if entity["value"] == value]
        return found

    def command(self, *arguments: str) -> Result:
        return self.sallyport.run(*arguments, "--connector", "crowdsec", env=self.environment)
