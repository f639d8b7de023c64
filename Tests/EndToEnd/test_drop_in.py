# SPDX-License-Identifier: Apache-2.0
"""In place of the Python connector: its variables, its files, its metrics, its log, its state."""
from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from support.contract import judge_request
from support.feed import Feed, Indicator, varied
from support.flow import DROP_IN, Flow, Metrics, free_port
from support.network import HTTPProxy
from support.simulators import CLIENT_ID, FalconSimulator, OpenCTISimulator


@pytest.fixture
def feed(opencti: OpenCTISimulator) -> Feed:
    feed = varied(60, permanent=False)
    opencti.load(feed.events)
    return feed


def as_config_yml(environment: dict[str, str]) -> dict[str, dict[str, str]]:
    """Variables as the original's config.yml: section and key, split at the first underscore."""
    sections: dict[str, dict[str, str]] = {}
    for name, value in environment.items():
        section, key = name.lower().split("_", 1)
        if section != "sallyport":
            sections.setdefault(section, {})[key] = value
    return sections


# covers: cli:run-dropin, config:dropin-names, stream:dependencies, key:OPENCTI_URL, key:OPENCTI_TOKEN, key:CONNECTOR_ID, key:CONNECTOR_NAME
# covers: key:CONNECTOR_SCOPE, key:CROWDSTRIKE_CLIENT_ID, key:CROWDSTRIKE_CLIENT_SECRET, field:source, field:tags
# covers: field:severity, field:action
@pytest.mark.parametrize("arguments", [
    DROP_IN, ("run", "opencti-crowdstrike"), ("run", "crowdstrike-endpoint-security"),
], ids=" ".join)
def test_the_originals_variables_are_enough(arguments: tuple[str, ...], flow: Flow, feed: Feed) -> None:
    program = flow.start(*arguments)
    program.wait_until(lambda: flow.falcon.stands(feed.table), "the table stands")
    assert program.stop() == 0


# covers: config:names, config:precedence
@pytest.mark.parametrize("place", [".", "src"])
def test_the_originals_config_yml_is_enough(place: str, flow: Flow, feed: Feed, tmp_path: Path) -> None:
    folder = tmp_path / place
    folder.mkdir(exist_ok=True)
    (folder / "config.yml").write_text(yaml.safe_dump(as_config_yml(flow.environment)))
    kept = {key: value for key, value in flow.environment.items() if key.startswith("SALLYPORT_")}
    program = flow.sallyport.start(*DROP_IN, env={**kept, "SALLYPORT_HTTP_LISTEN": "127.0.0.1:0"}, cwd=tmp_path)
    program.wait_until(lambda: flow.falcon.stands(feed.table), "the table stands")
    assert program.stop() == 0


# covers: config:env-file
def test_the_originals_env_file_is_enough(flow: Flow, feed: Feed, tmp_path: Path) -> None:
    lines = [f"{key}={value}" for key, value in flow.environment.items() if not key.startswith("SALLYPORT_")]
    (tmp_path / ".env").write_text("\n".join(lines))
    (tmp_path / "src").mkdir()
    kept = {key: value for key, value in flow.environment.items() if key.startswith("SALLYPORT_")}
    program = flow.sallyport.start(*DROP_IN, env={**kept, "SALLYPORT_HTTP_LISTEN": "127.0.0.1:0"}, cwd=tmp_path / "src")
    program.wait_until(lambda: flow.falcon.stands(feed.table), "the table stands")
    assert program.stop() == 0


# covers: cli:run-yaml, config:references
def test_a_sallyport_yaml_is_enough(flow: Flow, feed: Feed, tmp_path: Path) -> None:
    was = flow.environment
    secret = tmp_path / "secret"
    secret.write_text(was["CROWDSTRIKE_CLIENT_SECRET"] + "\n")
    file = tmp_path / "sallyport.yaml"
    file.write_text(yaml.safe_dump({
        "http": {"listen": "127.0.0.1:0"},
        "state": {"dir": was["SALLYPORT_STATE_DIR"]},
        "connections": {
            "opencti": {"url": was["OPENCTI_URL"], "token": "${env:TOKEN}"},
            "falcon": {
                "base_url": was["CROWDSTRIKE_API_BASE_URL"], "client_id": CLIENT_ID, "client_secret": f"${{file:{secret}}}"},
        },
        "flows": {"iocs": {
            "connector": "opencti-crowdstrike", "opencti": "opencti", "falcon": "falcon",
            "id": was["CONNECTOR_ID"], "live_stream_id": was["CONNECTOR_LIVE_STREAM_ID"]}},
    }))
    program = flow.sallyport.start("run", "--config", str(file), env={"TOKEN": was["OPENCTI_TOKEN"]})
    program.wait_until(lambda: flow.falcon.stands(feed.table), "the table stands")
    assert program.stop() == 0


# covers: config:secret-files
def test_secrets_may_come_from_files(flow: Flow, feed: Feed, tmp_path: Path) -> None:
    files = {}
    for name in ("OPENCTI_TOKEN", "CROWDSTRIKE_CLIENT_SECRET"):
        path = tmp_path / name.lower()
        path.write_text(flow.environment.pop(name) + "\n")
        files[f"{name}_FILE"] = str(path)
    flow.run_until_it_stands(feed, **files)


# covers: key:CONNECTOR_CONFIDENCE_LEVEL, key:CONNECTOR_IGNORE_TYPES, key:CONNECTOR_TYPE, key:CONNECTOR_CONSUMER_COUNT
# covers: key:CONNECTOR_LOG_LEVEL, config:unknown-original
def test_what_the_first_version_asked_for_is_accepted(flow: Flow, feed: Feed) -> None:
    flow.run_until_it_stands(
        feed, CONNECTOR_CONFIDENCE_LEVEL="3", CONNECTOR_IGNORE_TYPES="label,marking-definition,identity",
        CONNECTOR_TYPE="STREAM", CONNECTOR_CONSUMER_COUNT="5", CONNECTOR_SCOPE="crowdstrike", CONNECTOR_LOG_LEVEL="warn",
        CONNECTOR_NO_SUCH_THING="x")


# What goes over the wire.


# covers: stream:request, stream:first-start, key:CONNECTOR_LIVE_STREAM_LISTEN_DELETE
# covers: key:CONNECTOR_LIVE_STREAM_NO_DEPENDENCIES, key:CONNECTOR_LIVE_STREAM_WITH_INFERENCES
def test_the_stream_is_asked_for_as_pycti_does(flow: Flow, feed: Feed, opencti: OpenCTISimulator) -> None:
    opencti.record()
    flow.run_until_it_stands(feed, CONNECTOR_LIVE_STREAM_WITH_INFERENCES="true")
    first = next(one for one in opencti.requests() if one["path"].startswith("/stream/"))
    assert first["path"] == f"/stream/{flow.environment['CONNECTOR_LIVE_STREAM_ID']}"
    assert {name: first["headers"].get(name) for name in ("listen-delete", "no-dependencies", "with-inferences")} == {
        "listen-delete": "true", "no-dependencies": "true", "with-inferences": "true"}
    assert first["headers"]["last-event-id"] == "0-0"
    [recover] = first["query"]["recover"]
    assert recover.endswith("Z") or recover.endswith("+00:00")


# covers: stream:recover-words, key:CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE, key:CONNECTOR_LIVE_STREAM_START_TIMESTAMP
def test_start_and_recovery_can_be_set(flow: Flow, feed: Feed, opencti: OpenCTISimulator) -> None:
    opencti.record()
    start = feed.events[0]["id"].split("-")[0]
    program = flow.start(CONNECTOR_LIVE_STREAM_START_TIMESTAMP=start, CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE="no")
    program.wait_until(lambda: [one for one in opencti.requests() if one["path"].startswith("/stream/")], "it connects")
    assert program.stop() == 0
    first = next(one for one in opencti.requests() if one["path"].startswith("/stream/"))
    assert first["headers"]["last-event-id"] == f"{start}-0" and "recover" not in first["query"]


# covers: falcon:contract, better:batching, field:comment, field:applied-globally, falcon:batch
def test_every_call_to_falcon_is_one_that_the_vendor_documents(
    flow: Flow, feed: Feed, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    falcon.record()
    flow.run_until_it_stands(feed)
    requests = [one for one in falcon.requests() if one["path"].startswith("/iocs/")]
    for one in requests:
        judge_request(one["method"], one["path"], one["query"], one["body"])
    creates = [one["body"] for one in requests if one["method"] == "POST" and one["path"] == "/iocs/entities/indicators/v1"]
    assert sum(len(body["indicators"]) for body in creates) == 60
    assert len(creates) < 20, "creates go out in batches"
    assert {body["comment"] for body in creates} == {"IOC imported from OpenCTI"}
    assert all(ioc["applied_globally"] is True for body in creates for ioc in body["indicators"])


# covers: octi:endpoint, octi:headers, key:OPENCTI_CUSTOM_HEADERS
def test_custom_headers_go_with_every_request(flow: Flow, feed: Feed, opencti: OpenCTISimulator) -> None:
    opencti.record()
    flow.run_until_it_stands(feed, OPENCTI_CUSTOM_HEADERS="X-Gate: open ;X-Other:1")
    requests = opencti.requests()
    assert {one["path"].split("/")[1] for one in requests} >= {"graphql", "stream"}
    for one in requests:
        assert (one["headers"].get("x-gate"), one["headers"].get("x-other")) == ("open", "1"), one["path"]


# covers: key:HTTPS_PROXY
def test_proxies_are_used_and_left_out_as_usual(flow: Flow, feed: Feed) -> None:
    proxy = HTTPProxy()
    try:
        flow.run_until_it_stands(feed, http_proxy=proxy.url)
        falcon = flow.environment["CROWDSTRIKE_API_BASE_URL"].removeprefix("http://")
        assert falcon in proxy.hosts
        seen = len(proxy.hosts)
        program = flow.start(http_proxy=proxy.url, NO_PROXY="127.0.0.1")
        program.wait_until(lambda: flow.get("/health/ready")[0] == 200, "it is ready")
        assert program.stop() == 0
        assert len(proxy.hosts) == seen
    finally:
        proxy.close()


# What operators look at.


# covers: metric:processed_messages_total, metric:processed_messages_created, metric:current_state, metric:help
# covers: metric:promtool, metric:no-secret, metric:outcomes, metric:sallyport_dead_letters_total, key:CONNECTOR_NAME
# covers: key:METRICS_ENABLE, key:METRICS_PORT, key:METRICS_ADDR
def test_the_originals_metrics_are_where_they_were(flow: Flow, feed: Feed) -> None:
    where = f"127.0.0.1:{free_port()}"
    program = flow.start(METRICS_ENABLE="1", METRICS_ADDR="127.0.0.1", METRICS_PORT=where.split(":")[1])
    flow.wait_until_idle(program, len(feed.events))
    text = flow.get("/metrics", where)[1]
    now = Metrics(text)
    name = flow.environment["CONNECTOR_NAME"]
    for action in ("create", "update", "delete"):
        wanted = sum(event["event"] == action for event in feed.events)
        assert now.sum("processed_messages_total", name=name, action=action) == wanted
        assert now.sum("processed_messages_created", name=name, action=action) > 0
    assert now.sum("current_state", name=name) == int(feed.last_id.split("-")[0])
    assert "# HELP processed_messages_total Number of processed messages" in text
    assert "# HELP current_state Current connector state" in text
    # Heartbeats are items too.
    assert now.sum("sallyport_items_total") >= len(feed.events)
    assert now.sum("sallyport_effects_total", outcome="delivered") >= len(feed.table)
    assert now.sum("sallyport_dead_letters_total") == 0
    judged = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    # The original's series have names of their own taste, which promtool remarks on.
    remarks = [line for line in (judged.stdout + judged.stderr).splitlines() if line and "processed_messages_created" not in line]
    assert remarks == []
    assert program.stop() == 0


# covers: event:log-lines, key:OPENCTI_JSON_LOGGING, key:CONNECTOR_LOG_LEVEL
def test_the_log_has_the_originals_form(flow: Flow, opencti: OpenCTISimulator) -> None:
    feed = Feed()
    feed.create(Indicator(1))
    opencti.load(feed.events)
    flow.run_until_it_stands(feed, CONNECTOR_LOG_LEVEL="info")
    lines = [json.loads(line) for line in flow.sallyport.started[-1].err.splitlines()]
    assert all({"timestamp", "level", "name", "message"} <= line.keys() for line in lines)
    assert {line["level"] for line in lines} <= {"INFO", "WARNING", "ERROR"}


# covers: cli:sigterm, cli:exit-codes (0), octi:no-unregister
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_commits(number: signal.Signals, flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator) -> None:
    feed = varied(400, permanent=True)
    opencti.load(feed.events)
    falcon.answer_after(milliseconds=30)
    program = flow.start(CROWDSTRIKE_PERMANENT_DELETE="true", CROWDSTRIKE_BATCH_SIZE="20")
    program.wait_until(lambda: falcon.writes() >= 2, "work is under way")
    program.signal(number)
    assert program.wait() == 0
    assert opencti.connector_state() is not None, "the platform still knows the connector"
    falcon.heal()
    flow.run_until_it_stands(feed, CROWDSTRIKE_PERMANENT_DELETE="true")


# covers: cli:sighup
def test_a_reload_takes_new_settings(flow: Flow, opencti: OpenCTISimulator, tmp_path: Path) -> None:
    feed = Feed()
    feed.create(Indicator(1, score=50))
    opencti.load(feed.events)
    sections = as_config_yml(flow.environment)
    file = tmp_path / "config.yml"
    file.write_text(yaml.safe_dump(sections))
    kept = {key: value for key, value in flow.environment.items() if key.startswith("SALLYPORT_")}
    program = flow.sallyport.start(*DROP_IN, env={**kept, "SALLYPORT_HTTP_LISTEN": "127.0.0.1:0"}, cwd=tmp_path)
    program.wait_until(lambda: flow.falcon.stands(feed.table), "the first IOC")

    file.write_text("crowdstrike: [")
    program.signal(signal.SIGHUP)
    program.wait_until(lambda: "not reloaded" in program.err, "a broken file is refused, and the work goes on")

    sections["crowdstrike"]["action_on_domain"] = "no_action"
    file.write_text(yaml.safe_dump(sections))
    program.signal(signal.SIGHUP)
    program.wait_until(lambda: "settings have changed" in program.err, "the new settings are taken")
    feed.create(Indicator(2))
    feed.table[Indicator(2).key]["action"] = "no_action"
    opencti.push(feed.events[-1:])
    program.wait_until(lambda: flow.falcon.stands(feed.table), "the second IOC under the new settings")
    assert program.stop() == 0
