# SPDX-License-Identifier: Apache-2.0
"""Sandbox triage between a simulated tenant and a simulated VMRay; the samples are words."""
from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from support.contract import model_alert
from support.program import Program, Result, Sallyport
from support.simulators import CLIENT_ID, CLIENT_SECRET, VMRAY_KEY, FalconSimulator, VMRaySimulator

CID = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
HOSTS = [f"{number:02x}" * 16 for number in range(1, 40)]
USER = "5f0c8e0a-6a65-4d2b-8f5e-6b0f4c1f2d99"


def sha256(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


def composite(number: int, host: str = HOSTS[0]) -> str:
    return f"{CID}:ind:{host}:{number}-10303-{number}"


def ago(**time: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Triage:
    sallyport: Sallyport
    falcon: FalconSimulator
    vmray: VMRaySimulator
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.falcon.settings(region="simulated")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "CROWDSTRIKE_CLIENT_ID": CLIENT_ID, "CROWDSTRIKE_CLIENT_SECRET": CLIENT_SECRET,
            "CROWDSTRIKE_API_BASE_URL": self.falcon.url, "VMRAY_API_KEY": VMRAY_KEY, "VMRAY_URL": self.vmray.url,
            "VMRAY_RUNTIME_MODE": "CLI", "VMRAY_LOG_FILE": "", "VMRAY_CASE_USERS": USER,
            "SALLYPORT_STATE_DIR": str(self.sallyport.folder / "state"), "SALLYPORT_HTTP_LISTEN": "127.0.0.1:0",
            "SALLYPORT_LOG_FORMAT": "logfmt", **self.settings}

    # What Falcon has found.

    def alert(self, number: int, word: str, host: str = HOSTS[0], *, status: str = "new", **more: Any) -> str:
        identity = composite(number, host)
        self.falcon.post("entities/alerts", [{**model_alert(
            identity, id=identity[33:], cid=CID, agent_id=host, status=status, product="epp", sha256=sha256(word),
            aggregate_id=f"aggind:{host}:{number}", created_timestamp=ago(minutes=5),
            falcon_host_link=f"https://falcon.example/{number}", device={"device_id": host, "hostname": f"PC-{host[:2]}"}),
            **more}])
        return identity

    def quarantine(self, word: str, host: str = HOSTS[0]) -> str:
        identity = f"{host}_{sha256(word)}"
        self.falcon.post("entities/quarantined_files", [{
            "id": identity, "aid": host, "cid": CID, "sha256": sha256(word), "hostname": f"PC-{host[:2]}",
            "username": "u", "state": "quarantined", "date_created": ago(minutes=4), "date_updated": ago(minutes=4),
            "detect_ids": [], "alert_ids": [],
            "paths": [{"path": "C:\\a.exe", "filename": "a.exe", "state": "quarantined"}]}])
        return identity

    def sample(self, word: str, **more: Any) -> str:
        self.falcon.post("samples", [{"content": word, **more}])
        return sha256(word)

    def host(self, host: str, **more: Any) -> None:
        self.falcon.post("entities/hosts", [{
            "device_id": host, "cid": CID, "hostname": f"PC-{host[:2]}", "status": "normal", "groups": [], **more}])

    def verdict(self, word: str, verdict: str | None, **more: Any) -> None:
        """What its analysis will end with."""
        self.vmray.find({sha256(word): {"verdict": verdict, **more}})

    def known(self, word: str, verdict: str | None, **more: Any) -> None:
        self.vmray.know({sha256(word): {"verdict": verdict, **more}})

    # The program.

    def start(self, **settings: str) -> Program:
        return self.sallyport.start("run", "vmray", env={**self.environment, **settings})

    def run(self, **settings: str) -> Program:
        """One run to its end."""
        program = self.start(**settings)
        program.wait()
        return program

    def command(self, *arguments: str, **settings: str) -> Result:
        return self.sallyport.run(*arguments, "--connector", "vmray", env={**self.environment, **settings})

    # What came of it.

    def acts(self, operation: str | None = None) -> list[dict[str, Any]]:
        return [act for act in self.falcon.lines("acts") if operation is None or act["operation"] == operation]

    def comments(self, identity: str) -> list[str]:
        """Each comment on an alert, in the order of the updates."""
        return [
            parameter["value"] for act in self.acts("PatchEntitiesAlertsV3") if identity in act["body"]["composite_ids"]
            for parameter in act["body"]["action_parameters"] if parameter["name"] == "append_comment"]

    def status(self, identity: str) -> str:
        [alert] = [row for row in self.falcon.get("entities/alerts") if row["composite_id"] == identity]
        return str(alert["status"])

    def contained(self) -> list[str]:
        return [host for act in self.acts("PerformActionV2") if act["action"] == "contain" for host in act["body"]["ids"]]

    def cases(self) -> list[str]:
        return [row["title"] for row in self.falcon.get("entities/message_cases")]

    def iocs(self) -> dict[tuple[str, str], str]:
        return {(ioc["type"], ioc["value"]): ioc["action"] for ioc in self.falcon.iocs()}

    def picture(self) -> dict[str, Any]:
        """Everything that can be seen of the effects, each as often as it was done."""
        alerts = {row["composite_id"]: row["status"] for row in self.falcon.get("entities/alerts")}
        return {
            "comments": {identity: self.comments(identity) for identity in alerts}, "status": alerts,
            "contained": sorted(self.contained()), "cases": sorted(self.cases()), "iocs": self.iocs(),
            "files": {row["id"]: row["state"] for row in self.falcon.get("entities/quarantined_files")},
            "submissions": sorted(line["sha256"] for line in self.vmray.submissions()),
        }
