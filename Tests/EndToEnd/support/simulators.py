# SPDX-License-Identifier: Apache-2.0
"""The simulators' admin endpoints: what a test loads into them, and what it reads from them."""
from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

# The secrets are odd on purpose, so that they cannot be found anywhere by accident.
TOKEN = "7d3f0a52-1c9b-4b7e-9f60-2e5a8c4d1b39"
CLIENT_ID = "ed578da6b8d84d1e9312e833e493773a"
CLIENT_SECRET = "Zk9vQ2xTn4LwYb7RdXe1HjMu5PsAoCg8FiKtBqWz"
CONNECTOR_ID = "5f0c8e0a-6a65-4d2b-8f5e-6b0f4c1f2d11"
CROWDSEC_KEY = "cs-cti-key-Vw3rTq8ZpLx5NbYc"
VMRAY_KEY = "vmray-key-Qs7uXe2Lm9KdRt4W"
VMRAY_VERDICT_KEY = "vmray-verdict-key-Hp3nBv8YcZ6jGf1A"
STREAM_ID = "1d0a53c4-6b62-4a3c-b0c5-7a7d1e5d9a20"


class Simulator:
    """What both have: counters, faults, scripted answers, a clock."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.url: str = ready["url"]
        self.admin: str = ready["admin"]

    def ask(self, method: str, path: str, body: Any = None) -> str:
        request = urllib.request.Request(
            f"{self.admin}/{path}", method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()}") from error

    def get(self, path: str) -> Any:
        return json.loads(self.ask("GET", path))

    def lines(self, path: str) -> list[Any]:
        return [json.loads(line) for line in self.ask("GET", path).splitlines()]

    def post(self, path: str, body: Any = None) -> None:
        self.ask("POST", path, {} if body is None else body)

    def reset(self) -> None:
        self.post("reset")

    def fault(self, kind: str, argument: int | None = None, *, times: int | None = 1, **rule: Any) -> None:
        """Adds one fault; `times=None` is without end."""
        self.post("faults", {
            "kind": kind, "times": "*" if times is None else times,
            **({} if argument is None else {"argument": argument}), **rule})

    def faults_left(self) -> int:
        """How many of the faults with an end are still to come."""
        return sum(rule["left"] or 0 for rule in self.get("faults"))

    def heal(self) -> None:
        self.ask("DELETE", "faults")

    def script(self, answers: list[dict[str, Any]]) -> None:
        if answers:
            self.post("script", answers)

    def record(self) -> None:
        """From here on requests are kept for `requests`."""
        self.post("recording", {"enabled": True})

    def requests(self) -> list[dict[str, Any]]:
        return self.lines("requests")

    def calls(self, operation: str, status: int | None = None) -> int:
        counts = self.get("counters")["operations"].get(operation, {"total": 0, "statuses": {}})
        return counts["total"] if status is None else counts["statuses"].get(str(status), 0)


Key = tuple[str, str]


class FalconSimulator(Simulator):
    WRITES = {"indicator_create_v1": 201, "indicator_update_v1": 200, "indicator_delete_v1": 200}

    def writes(self) -> int:
        """Calls that changed something."""
        return sum(self.calls(operation, status) for operation, status in self.WRITES.items())

    def iocs(self) -> list[dict[str, Any]]:
        """Every live IOC, as the API shows it."""
        return self.lines("iocs")

    def load(self, iocs: list[dict[str, Any]]) -> None:
        if iocs:
            self.post("iocs", iocs)

    def settings(self, **changes: Any) -> None:
        self.post("settings", changes)

    def scopes(self, *granted: str) -> None:
        """What the API client may do from now on; tokens that it has are void."""
        self.settings(clients=[{"id": CLIENT_ID, "secret": CLIENT_SECRET, "scopes": list(granted)}])
        self.expire_tokens()

    def expire_tokens(self) -> None:
        self.post("tokens/revoke")

    def answer_after(self, milliseconds: int) -> None:
        self.fault("latency", milliseconds, times=None, path="/iocs/*")

    def refuse(self, status: int, times: int, probability: float = 0.4) -> None:
        """Some of the next calls are refused so, and not carried out."""
        self.fault("status", status, times=times, probability=probability, path="/iocs/*")

    # What stands there, against what a feed says.

    def table(self) -> dict[Key, dict[str, Any]]:
        iocs = self.iocs()
        table = {(ioc["type"], ioc["value"]): ioc for ioc in iocs}
        assert len(table) == len(iocs), "an IOC stands there twice"
        return table

    def differences(self, wanted: dict[Key, dict[str, Any]]) -> list[str]:
        found = self.table()
        lines = [f"lost: {key}" for key in wanted.keys() - found.keys()]
        lines += [f"too many: {key}" for key in found.keys() - wanted.keys()]
        for key in wanted.keys() & found.keys():
            ioc = {**found[key], "tags": sorted(found[key].get("tags") or [])}
            lines += [
                f"{key}: {field} is {ioc.get(field)!r}, not {value!r}" for field, value in wanted[key].items()
                if ioc.get(field) != value]
        return lines

    def stands(self, wanted: dict[Key, dict[str, Any]]) -> bool:
        return not self.differences(wanted)

    def assert_stands(self, wanted: dict[Key, dict[str, Any]]) -> None:
        differences = self.differences(wanted)
        assert not differences, f"{len(differences)} differences, among them {differences[:5]}"


class OpenCTISimulator(Simulator):
    def reset(self) -> None:
        # First, so that nothing an earlier test has left in RabbitMQ arrives at the platform that begins anew.
        self.post("queues/forget")
        super().reset()

    def load(self, events: list[dict[str, Any]]) -> None:
        """What the platform holds, ids as they are."""
        self.ask("POST", "events", events)

    def push(self, events: list[dict[str, Any]]) -> None:
        """What happens now: the platform gives the ids, and they are noted in the events."""
        plain = [{key: value for key, value in event.items() if key != "id"} for event in events]
        for event, identity in zip(events, json.loads(self.ask("POST", "events", plain))["ids"], strict=True):
            event["id"] = identity

    def state(self) -> dict[str, Any]:
        return self.get("state")

    def connections(self) -> int:
        return self.state()["connections"]

    def settings(self, **changes: Any) -> None:
        self.post("settings", changes)

    def stream(self, state: str) -> None:
        """running, stopped, private or public."""
        self.post("stream", {"state": state})

    def cut_stream(self, frames: int, place: str, way: str, times: int | None) -> None:
        """Connections break after so many frames: between or inside frames, or in a group that shares one id."""
        self.post("stream", {"cut": {"frames": frames, "place": place, "way": way, "times": "*" if times is None else times}})

    def connector_state(self) -> dict[str, Any] | None:
        return self.get("connector-state")

    def set_connector_state(self, state: dict[str, Any]) -> None:
        """As another program with our connector id would leave it."""
        self.graphql("mutation R($input: RegisterConnectorInput) { registerConnector(input: $input) { id } }", {
            "input": {"id": CONNECTOR_ID, "name": "another", "type": "STREAM", "scope": ["all"]}})
        self.post("connector-state", {"id": CONNECTOR_ID, "state": state})

    def reset_connector_state(self) -> None:
        """The button in the platform's console."""
        self.post("connector-state/reset")

    def graphql(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.url}/graphql", method="POST", data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            found = json.loads(answer.read())
        assert "errors" not in found, found
        return found["data"]


class CrowdSecSimulator(Simulator):
    def prepare(self, address: str, answers: list[dict[str, Any]]) -> None:
        """What the service says about an address, one answer after the other, the last again and again."""
        self.post("answers", {address: answers})

    def settings(self, **changes: Any) -> None:
        self.post("settings", changes)

    def reset(self) -> None:
        super().reset()
        self.settings(keys=[CROWDSEC_KEY])

    def usage(self) -> dict[str, Any]:
        """`tokens` spent, `requests` in all, and by address."""
        return self.get("usage")


class VMRaySimulator(Simulator):
    def settings(self, **changes: Any) -> None:
        self.post("settings", changes)

    def know(self, samples: dict[str, Any]) -> None:
        """These samples, by SHA-256, have been analysed already."""
        self.post("samples", samples)

    def find(self, findings: dict[str, Any]) -> None:
        """What analyses of these contents, by SHA-256, will end with."""
        self.post("findings", findings)

    def submitted_before(self, submissions: list[dict[str, Any]]) -> None:
        """Submissions that somebody made, with `submission_id`, `sha256`, `created` and perhaps `ends`."""
        self.post("submissions", submissions)

    def submissions(self) -> list[dict[str, Any]]:
        return self.lines("submissions")
