# SPDX-License-Identifier: Apache-2.0
"""Falcon's event stream to Sekoia's intake: every event as it came, whatever happens on the way."""
from __future__ import annotations

import base64
import http.server
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import simulator
from support.program import Program, Sallyport, eventually
from support.simulators import CLIENT_ID, CLIENT_SECRET, FalconSimulator, Simulator

CASES = Path(__file__).resolve().parents[1] / "Vectors/cases"
KEY = "sim-intake-key-7f3a"


class Tenant(FalconSimulator):
    def feeds(self, **changes: Any) -> None:
        self.post("feeds", changes)

    def append(self, lines: list[bytes], partition: int = 0) -> None:
        import urllib.request
        urllib.request.urlopen(urllib.request.Request(
            f"{self.admin}/feeds/{partition}/events", method="POST", data=b"\n".join(lines) + b"\n")).read()


class Intake(Simulator):
    def counts(self) -> dict[str, Any]:
        return self.get("intake")

    def events(self) -> list[bytes]:
        return [line for line in self.ask("GET", "events").encode().split(b"\n") if line]


@pytest.fixture(scope="module")
def tenant_server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    for ready in simulator("falcon", binary, tmp_path_factory.mktemp("tenant")):
        yield Tenant(ready)


@pytest.fixture(scope="module")
def intake_server(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    for ready in simulator("sekoia", binary, tmp_path_factory.mktemp("sekoia")):
        yield Intake(ready)


@pytest.fixture
def tenant(tenant_server: Tenant) -> Tenant:
    tenant_server.reset()
    return tenant_server


@pytest.fixture
def intake(intake_server: Intake) -> Intake:
    intake_server.reset()
    return intake_server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Relay:
    """The connector by hand: the original's variables, pointed at the simulators."""

    def __init__(self, sallyport: Sallyport, tenant: Tenant, intake: Intake) -> None:
        self.sallyport = sallyport
        self.data = sallyport.folder / "data"
        self.data.mkdir()
        self.port, self.metrics = free_port(), free_port()
        self.env = {
            "MODULE_CONFIGURATION": json.dumps(
                {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "base_url": tenant.url}),
            "CONNECTOR_CONFIGURATION": json.dumps({"intake_key": KEY}), "INTAKE_URL": intake.url,
            "SALLYPORT_STATE_DIR": str(sallyport.folder / "state"), "SYMPHONY_DATA_PATH": str(self.data),
            "LIVENESS_PORT": str(self.port), "METRICS_PORT": str(self.metrics),
            "SALLYPORT_HTTP_LISTEN": "127.0.0.1:0", "SALLYPORT_SYMPHONY_DIR": str(sallyport.folder / "symphony"),
        }

    def start(self, **more: str) -> Program:
        return self.sallyport.start("run", "sekoia-event-stream", env={**self.env, **more})

    def offsets(self) -> dict[str, int]:
        path = self.data / "cache.json"
        return json.loads(path.read_text()) if path.exists() else {}


@pytest.fixture
def relay(sallyport: Sallyport, tenant: Tenant, intake: Intake) -> Relay:
    return Relay(sallyport, tenant, intake)


# covers: stream:raw-lines, data:falcon-events, data:falcon-events-odd, offset:cache-json, key:intake_key, run:by-hand
def test_every_event_arrives_as_it_came(relay: Relay, tenant: Tenant, intake: Intake) -> None:
    lines = [line for name in ("falcon-events.ndjson", "falcon-events-odd.ndjson")
             for line in (CASES / name).read_bytes().split(b"\n") if line]
    tenant.append(lines)
    program = relay.start()
    program.wait_until(lambda: intake.counts()["events"] == len(lines), "all have arrived")
    eventually(lambda: relay.offsets() == {f"{tenant.url}/sensors/entities/datafeed/v1/0": 900008}, "cache.json")
    assert program.stop() == 0
    assert Counter(intake.events()) == Counter(lines)


# covers: offset:import, offset:text
@pytest.mark.parametrize("form", [int, str])
def test_it_goes_on_where_the_original_stopped(form: type, relay: Relay, tenant: Tenant, intake: Intake) -> None:
    tenant.feeds(events=3000)
    (relay.data / "cache.json").write_text(json.dumps(
        {f"{tenant.url}/sensors/entities/datafeed/v1/0": form(1_000_000_999), "of somebody else": 7}))
    program = relay.start()
    program.wait_until(lambda: intake.counts()["events"] == 2000, "the rest has arrived")
    eventually(lambda: relay.offsets().get("of somebody else") == 7
               and relay.offsets()[f"{tenant.url}/sensors/entities/datafeed/v1/0"] == 1_000_002_999, "cache.json")
    assert program.stop() == 0
    assert intake.counts()["repeats"] == 0


# covers: loss:kill, relay:crash, relay:bounded
def test_kill_in_a_loop_loses_nothing_and_repeats_only_what_was_in_flight(
    relay: Relay, tenant: Tenant, intake: Intake,
) -> None:
    tenant.feeds(partitions=2, events=20_000)
    intake.fault("latency", 40, times=None, path="/batch")
    kills = 6
    for round_number in range(kills):
        program = relay.start()
        enough = intake.counts()["distinct_offsets"] + 2_500
        eventually(lambda: intake.counts()["distinct_offsets"] >= min(enough, 40_000), "some progress between two kills")
        program.kill()
        if intake.counts()["distinct_offsets"] == 40_000:
            break
    program = relay.start()
    program.wait_until(lambda: intake.counts()["distinct_offsets"] == 40_000, "all have arrived")
    assert program.stop() == 0
    counts = intake.counts()
    assert counts["repeats"] <= kills * 10 * 1000, counts


# covers: loss:429, loss:5xx, loss:cut, loss:session, loss:token, loss:reset, intake:429, intake:5xx, loss:half-open,
#   loss:listing, loss:413
@pytest.mark.parametrize("fault", [
    "429", "503", "413", "lost answer", "cut line", "session", "token", "stall", "html", "half-open intake",
    "half-open feed", "listing", "feed refused"])
def test_faults_pass(fault: str, relay: Relay, tenant: Tenant, intake: Intake) -> None:
    tenant.feeds(events=6000)
    match fault:
        case "429": intake.fault("status", 429, times=3, retry_after=1, path="/batch")
        case "503": intake.fault("status", 503, times=4, path="/batch", skip=1)
        case "lost answer": intake.fault("reset_after", times=2, path="/batch", skip=1)
        case "413": intake.fault("status", 413, times=3, path="/batch", skip=1)
        case "half-open intake": intake.fault("half_open", times=2, path="/batch", skip=1, lasting=1)
        case "half-open feed": tenant.fault("half_open", path="/sensors/entities/datafeed/v1/*", lasting=1)
        case "listing": tenant.fault("status", 503, times=2, path="/sensors/entities/datafeed/v2")
        case "feed refused": tenant.fault("status", 401, times=2, path="/sensors/entities/datafeed/v1/*")
        case "html": intake.fault("html", 502, times=2, path="/batch")
        case "cut line": tenant.fault("cut", 700_123, times=3, path="/sensors/entities/datafeed/v1/*")
        case "stall": tenant.fault("stall", 300_000, times=1, path="/sensors/entities/datafeed/v1/*", lasting=1)
        case "session": intake.fault("latency", 200, times=None, path="/batch")
    program = relay.start()
    if fault in ("session", "token"):
        program.wait_until(lambda: intake.counts()["events"] > 0, "the first have arrived")
        tenant.post("feeds/kill") if fault == "session" else tenant.expire_tokens()
    program.wait_until(lambda: intake.counts()["distinct_offsets"] == 6000, "all have arrived")
    assert program.stop() == 0
    counts = intake.counts()
    # Where the answer is lost nobody can know whether the events were taken.
    assert counts["repeats"] <= (2000 if fault in ("lost answer", "half-open intake") else 0), counts


# covers: loss:everything
def test_read_is_delivered_or_put_aside_whatever_happens_at_once(
    relay: Relay, tenant: Tenant, intake: Intake, sallyport: Sallyport,
) -> None:
    tenant.feeds(partitions=3, events=4000)
    tenant.append([b"no event", b'{"metadata":{"offset":2000000001},"event":"<poison>"}'], partition=1)
    intake.post("settings", {"poison": ["<poison>"]})
    intake.fault("latency", 20, times=None, path="/batch")
    intake.fault("status", 503, times=None, path="/batch", probability=0.1)
    intake.fault("reset_after", times=6, path="/batch", probability=0.1)
    tenant.fault("cut", 900_001, times=4, path="/sensors/entities/datafeed/v1/*")
    tenant.fault("status", 429, times=1, retry_after=1, path="/oauth2/token")
    kills = 3
    for round_number in range(kills):
        program = relay.start()
        enough = min(intake.counts()["distinct_offsets"] + 1500, 12_000)
        program.wait_until(lambda: intake.counts()["distinct_offsets"] >= enough, "some progress between two kills")
        program.kill()
    intake.heal()
    program = relay.start()
    program.wait_until(lambda: intake.counts()["distinct_offsets"] == 12_000, "all have arrived")
    letters: list[Any] = []
    def two_letters() -> bool:
        letters[:] = sallyport.run("dlq", "list", "--json", "--connector", "sekoia-event-stream", env=relay.env).json_lines
        return sorted(letter["code"] for letter in letters) == ["event.invalid", "record.refused"]
    program.wait_until(two_letters, "what can't be sent is put aside")
    assert program.stop() == 0
    assert intake.counts()["repeats"] <= (kills * 9 + 6) * 1000
    assert len(relay.offsets()) == 3


# covers: key:app_id, key:intake_server, key:intake_url, key:event_types, key:batch_size, key:in_flight
def test_settings_do_what_they_say(relay: Relay, tenant: Tenant, intake: Intake) -> None:
    lines = [json.dumps({"metadata": {"offset": n, "eventType": "ABC"[n % 3]}, "n": n}).encode() for n in range(1, 301)]
    tenant.append(lines)
    program = relay.start(
        CONNECTOR_CONFIGURATION=json.dumps({"intake_key": KEY, "intake_server": intake.url}),
        INTAKE_URL="http://127.0.0.1:9", EVENT_STREAM_APP_ID="myreader", EVENT_STREAM_EVENT_TYPES="A,C",
        EVENT_STREAM_BATCH_SIZE="10", EVENT_STREAM_IN_FLIGHT="1")
    program.wait_until(lambda: intake.counts()["events"] == 200, "the wanted types have arrived")
    assert program.stop() == 0
    # One body at a time keeps the order.
    assert intake.events() == [line for line in lines if b'"B"' not in line]
    assert intake.counts()["batches"] >= 20
    assert "myreadera" in tenant.get("feeds")["app_ids"]
    assert "feeds did not go on" not in program.err and "does not go on where it ended" not in program.err


# covers: key:start_from
def test_a_start_is_taken_without_a_checkpoint_only(relay: Relay, tenant: Tenant, intake: Intake) -> None:
    tenant.feeds(events=100)
    program = relay.start(EVENT_STREAM_START_FROM="1000000090")
    program.wait_until(lambda: intake.counts()["events"] == 10, "the last ten")
    eventually(lambda: set(relay.offsets().values()) == {1_000_000_099}, "cache.json")
    assert program.stop() == 0
    program = relay.start(EVENT_STREAM_START_FROM="oldest")
    tenant.append([b'{"metadata":{"offset":2000000000}}'])
    program.wait_until(lambda: intake.counts()["distinct_offsets"] == 11, "what came since")
    assert program.stop() == 0
    assert intake.counts()["events"] == 11


# covers: intake:bisect, intake:400, relay:dead-letter
def test_a_poisonous_event_is_put_aside_alone(relay: Relay, tenant: Tenant, intake: Intake, sallyport: Sallyport) -> None:
    lines = [json.dumps({"metadata": {"offset": n, "eventType": "X"}, "event": {"n": f"<{n}>"}}).encode() for n in range(1, 501)]
    tenant.append(lines)
    intake.post("settings", {"poison": ["<77>", "<401>"]})
    program = relay.start()
    program.wait_until(lambda: intake.counts()["distinct_offsets"] == 498, "the others have arrived")
    eventually(lambda: set(relay.offsets().values()) == {500}, "the position has passed them")
    assert program.stop() == 0
    letters = sallyport.run("dlq", "list", "--json", "--connector", "sekoia-event-stream", env=relay.env).json_lines
    assert sorted(letter["code"] for letter in letters) == ["record.refused"] * 2
    shown = sallyport.run("dlq", "show", "all", "--connector", "sekoia-event-stream", env=relay.env)
    assert shown.out.count("<77>") == 1 and shown.out.count("<401>") == 1, shown.out
    intake.post("settings", {"poison": []})
    sallyport.run("dlq", "retry", "all", "--connector", "sekoia-event-stream", env=relay.env)
    program = relay.start()
    program.wait_until(lambda: intake.counts()["distinct_offsets"] == 500, "they have gone through")
    assert program.stop() == 0


# covers: feeds:several, feeds:new, listing:new, appid:slots
def test_feeds_are_found_again_when_they_change(relay: Relay, tenant: Tenant, intake: Intake) -> None:
    tenant.feeds(partitions=1, events=500)
    program = relay.start()
    program.wait_until(lambda: intake.counts()["events"] == 500, "the first feed")
    tenant.feeds(partitions=3)
    tenant.post("feeds/kill")
    program.wait_until(lambda: intake.counts()["distinct_offsets"] == 1500, "the new feeds")
    identities = tenant.get("feeds")["app_ids"]
    assert all(name.startswith("sallyport") and len(name) == 26 and name.isalnum() for name in identities)
    assert program.stop() == 0 and len(relay.offsets()) == 3


# covers: listing:empty, appid:lingering
def test_a_session_that_lingers_after_a_kill_is_gone_round(relay: Relay, tenant: Tenant, intake: Intake) -> None:
    tenant.feeds(events=500)
    tenant.feeds(lingering_seconds=600)
    program = relay.start()
    program.wait_until(lambda: intake.counts()["events"] == 500, "the first run")
    program.kill()
    eventually(lambda: tenant.get("feeds")["open"] == 0 or True, "the connection is gone")
    tenant.append([b'{"metadata":{"offset":2000000000}}'])
    program = relay.start()
    program.wait_until(lambda: intake.counts()["distinct_offsets"] == 501, "the second run reads under another appId")
    assert program.stop() == 0


# covers: vertex:example, vertex:wrapper, key:ACTIVATE_VERTICLES_COLLECTION
def test_vertices_follow_their_event(relay: Relay, tenant: Tenant, intake: Intake) -> None:
    host = "8c84a2247885263b597cc4685f4d1147"
    alert = f"8f3c1d2e4b5a69788796a5b4c3d2e1f0:ind:{host}:8302912087-10357-27920"
    tenant.post("graph", {
        "edge_types": ["child_process", "dns", "device"], "makes_unknown": False,
        "alerts": {alert: {"composite_id": alert, "triggering_process_graph_id": f"pid:{host}:8302912087",
                           "parent_details": {"process_graph_id": f"pid:{host}:8322695771"}}},
        "edges": {
            f"pid:{host}:8302912087 child_process": [
                {"id": f"pid:{host}:9001", "source_vertex_id": f"pid:{host}:8302912087"}],
            f"pid:{host}:8302912087 dns": [
                {"id": f"dns:{host}:bad.example", "source_vertex_id": f"pid:{host}:8302912087"}, {"id": "mod:x"}]},
        "vertices": {
            f"pid:{host}:9001": {"id": f"pid:{host}:9001", "vertex_type": "processes", "scope": "device", "properties": {}},
            f"dns:{host}:bad.example": {"id": f"dns:{host}:bad.example", "vertex_type": "domains"}},
    })
    tenant.append([json.dumps({
        "metadata": {"offset": 5, "eventType": "EppDetectionSummaryEvent"},
        "event": {"CompositeId": alert, "Severity": 70, "SeverityName": "High"}}).encode()])
    program = relay.start(ACTIVATE_VERTICLES_COLLECTION="true")
    program.wait_until(lambda: intake.counts()["events"] == 3, "the event and its two vertices")
    assert program.stop() == 0
    vertices = [line.decode() for line in intake.events() if b'"Vertex"' in line]
    assert sorted(vertices)[1] == (
        '{"metadata":{"detectionIdString":"' + alert + '","eventType":"Vertex","edge":{"sourceVertexId":"pid:' + host
        + ':8302912087","type":"dns"},"severity":{"name":"High","code":70}},"event":{"id":"dns:' + host
        + ':bad.example","vertex_type":"domains"}}')
    assert set(relay.offsets().values()) == {5}


# covers: batch:age, better:quiet
def test_a_quiet_tenants_events_are_not_late(relay: Relay, tenant: Tenant, intake: Intake) -> None:
    tenant.feeds(events=12, rate=4)
    program = relay.start()
    program.wait_until(lambda: intake.counts()["events"] == 12, "all have arrived")
    assert program.stop() == 0
    assert intake.counts()["batches"] >= 2


# covers: destination:file, destination:stdout
def test_other_destinations(relay: Relay, tenant: Tenant, sallyport: Sallyport) -> None:
    lines = [line for line in (CASES / "falcon-events.ndjson").read_bytes().split(b"\n") if line]
    tenant.append(lines)
    target = sallyport.folder / "events.ndjson"
    program = relay.start(EVENT_STREAM_DESTINATION="file", EVENT_STREAM_FILE=str(target))
    program.wait_until(lambda: target.exists() and target.read_bytes().count(b"\n") == len(lines), "the file is whole")
    assert program.stop() == 0
    assert target.read_bytes() == b"\n".join(lines) + b"\n"
    program = relay.start(
        EVENT_STREAM_DESTINATION="stdout", SALLYPORT_STATE_DIR=str(sallyport.folder / "other"),
        SYMPHONY_DATA_PATH=str(sallyport.folder / "other-data"))
    program.wait_until(lambda: program.out.count("\n") == len(lines), "standard output is whole")
    assert program.stop() == 0
    assert program.out.encode() == b"\n".join(lines) + b"\n"


class Platform(http.server.BaseHTTPRequestHandler):
    """Sekoia's platform: secrets, callback and logs."""

    def do_GET(self) -> None:
        self.answer({"value": {"client_secret": CLIENT_SECRET}})

    def do_POST(self) -> None:
        self.server.seen.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.answer({})

    def answer(self, body: dict[str, Any]) -> None:
        self.server.tokens.add(self.headers["Authorization"])
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        pass


# covers: symphony:files, symphony:secrets, symphony:logs, symphony:health, symphony:metrics, symphony:base64, run:docker-parameter
def test_the_platform_starts_it_like_the_original(relay: Relay, tenant: Tenant, intake: Intake, sallyport: Sallyport) -> None:
    import urllib.request
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Platform)
    server.seen, server.tokens = [], set()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tenant.feeds(events=100)
    folder = sallyport.folder / "symphony"
    folder.mkdir()
    module = json.dumps({"client_id": CLIENT_ID, "base_url": tenant.url}).encode()
    for name, text in {
        "token": "platform-token", "url_callback": f"http://127.0.0.1:{server.server_port}/api/callback",
        "intake_url": intake.url, "trigger_configuration": json.dumps({"intake_key": KEY}),
    }.items():
        (folder / name).write_text(text)
    keep = ("SALLYPORT_STATE_DIR", "SYMPHONY_DATA_PATH", "LIVENESS_PORT", "METRICS_PORT", "SALLYPORT_HTTP_LISTEN",
            "SALLYPORT_SYMPHONY_DIR")
    env = {name: relay.env[name] for name in keep} | {"MODULE_CONFIGURATION": base64.b64encode(module).decode()}
    program = sallyport.start("event_stream_trigger", env=env)
    program.wait_until(lambda: intake.counts()["events"] == 100, "all have arrived")
    with urllib.request.urlopen(f"http://127.0.0.1:{relay.port}/health", timeout=10) as answer:
        assert json.load(answer)["seconds_without_events_threshold"] == 86400

    def metrics() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{relay.metrics}/metrics", timeout=10) as answer:
            return str(answer.read().decode())
    # The intake has them before its answer is read.
    program.wait_until(
        lambda: 'symphony_module_common_forwarded_events_total{intake_key="16c2254d"} 100' in metrics(), "all are counted")
    assert KEY not in metrics()
    assert program.stop() == 0
    server.shutdown()
    logs = [line for path, body in server.seen if path == "/api/logs" for line in body["logs"]]
    assert any(line["level"] == "info" and "Reading a feed" in line["message"] for line in logs)
    assert server.tokens == {"Bearer platform-token"}
    unknown = sallyport.run("no_such_item", env=env)
    assert unknown.status == 2 and "Could not find any Action or Trigger matching command 'no_such_item'" in unknown.err


# covers: key:ACTIVATE_VERTICLES_COLLECTION, key:destination
@pytest.mark.parametrize("change", [
    {"ACTIVATE_VERTICLES_COLLECTION": "maybe"}, {"CONNECTOR_CONFIGURATION": "{}"}, {"MODULE_CONFIGURATION": "{"},
    {"EVENT_STREAM_DESTINATION": "kafka"}, {"EVENT_STREAM_START_FROM": "yesterday"}])
def test_wrong_settings_are_told_at_the_start(change: dict[str, str], relay: Relay, sallyport: Sallyport) -> None:
    done = sallyport.run("check", "sekoia-event-stream", "--offline", env={**relay.env, **change})
    assert done.status == 3, done.out


# covers: check:scopes
def test_check_names_the_scope_that_is_missing(relay: Relay, tenant: Tenant, sallyport: Sallyport) -> None:
    done = sallyport.run("check", "sekoia-event-stream", env={**relay.env, "ACTIVATE_VERTICLES_COLLECTION": "yes"})
    assert done.status == 0, done.out
    tenant.scopes("streaming:read")
    done = sallyport.run("check", "sekoia-event-stream", env={**relay.env, "ACTIVATE_VERTICLES_COLLECTION": "yes"})
    assert done.status == 4 and "Threatgraph: Read" in done.out and "Alerts: Read" in done.out, done.out
    assert "Detections: Read" not in done.out
    forced = {**relay.env, "ACTIVATE_VERTICLES_COLLECTION": "yes", "EVENT_STREAM_LEGACY_API": "force"}
    assert "Detections: Read" in sallyport.run("check", "sekoia-event-stream", env=forced).out
