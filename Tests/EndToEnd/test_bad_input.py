# SPDX-License-Identifier: Apache-2.0
"""What people and platforms get wrong: one clear error with a remedy, and nothing lost meanwhile."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.feed import OCTI, Feed, Indicator
from support.flow import DROP_IN, Flow
from support.network import TLSFront, certificate
from support.program import Program
from support.simulators import FalconSimulator, OpenCTISimulator

GOOD = Indicator(1)


@pytest.fixture
def feed(opencti: OpenCTISimulator) -> Feed:
    feed = Feed()
    feed.create(GOOD)
    opencti.load(feed.events)
    return feed


def wait_for_trouble(flow: Flow, program: Program, *words: str) -> str:
    """Until health names the reason; every word must be in it."""
    def named() -> str:
        text = flow.trouble()
        assert all(word.lower() in text.lower() for word in words), text
        return text
    return program.wait_until(named, f"/health/ready speaks of {words}")


# Settings.


# covers: bad:settings, config:all-problems, cli:exit-codes (3)
def test_all_wrong_settings_are_named_at_once(flow: Flow) -> None:
    wrong = {"CROWDSTRIKE_ACTION_ON_IP": "prevent", "CONNECTOR_LIVE_STREAM_ID": "ChangeMe", "CROWDSTRIKE_BATCH_SIZE": "0"}
    done = flow.sallyport.run(*DROP_IN, env={**flow.environment, **wrong})
    assert done.status == 3
    assert [name for name in wrong if name not in done.err] == []


# covers: key:CONNECTOR_LIVE_STREAM_ID
# covers: key:OPENCTI_URL, key:OPENCTI_TOKEN, key:CONNECTOR_ID, key:CROWDSTRIKE_CLIENT_ID, key:CROWDSTRIKE_CLIENT_SECRET
@pytest.mark.parametrize("name", [
    "OPENCTI_URL", "OPENCTI_TOKEN", "CONNECTOR_ID", "CONNECTOR_LIVE_STREAM_ID", "CROWDSTRIKE_CLIENT_ID",
    "CROWDSTRIKE_CLIENT_SECRET",
])
def test_what_is_required_is_missed(name: str, flow: Flow) -> None:
    without = {key: value for key, value in flow.environment.items() if key != name}
    done = flow.sallyport.run(*DROP_IN, env=without)
    assert done.status == 3 and name in done.err


# covers: key:CROWDSTRIKE_ACTION_ON_IP, key:CROWDSTRIKE_ACTION_ON_DOMAIN, key:CROWDSTRIKE_ACTION_ON_HASH
# covers: key:CROWDSTRIKE_PERMANENT_DELETE, key:CROWDSTRIKE_FALCON_FOR_MOBILE_ACTIVE, key:CROWDSTRIKE_SOFT_DELETE_ACTION
# covers: key:CROWDSTRIKE_ADOPT, key:CROWDSTRIKE_BATCH_SIZE, key:CROWDSTRIKE_IOC_CEILING, key:CONNECTOR_CONSUMER_COUNT
# covers: key:CONNECTOR_LOG_LEVEL, key:CONNECTOR_TYPE, key:OPENCTI_JSON_LOGGING, key:SALLYPORT_GUARDRAILS
# covers: key:CONNECTOR_LIVE_STREAM_START_TIMESTAMP, key:CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE, key:CROWDSTRIKE_MEMBER_CID
# covers: key:CONNECTOR_LIVE_STREAM_LISTEN_DELETE, key:CONNECTOR_LIVE_STREAM_NO_DEPENDENCIES
# covers: key:CONNECTOR_LIVE_STREAM_WITH_INFERENCES, key:METRICS_ENABLE, key:CROWDSTRIKE_API_BASE_URL
@pytest.mark.parametrize("name, value", [
    ("CROWDSTRIKE_ACTION_ON_IP", "prevent"),
    ("CROWDSTRIKE_ACTION_ON_DOMAIN", "allow"),
    ("CROWDSTRIKE_ACTION_ON_HASH", "quarantine"),
    ("CROWDSTRIKE_PERMANENT_DELETE", "perhaps"),
    ("CROWDSTRIKE_FALCON_FOR_MOBILE_ACTIVE", "2"),
    ("CROWDSTRIKE_SOFT_DELETE_ACTION", "drop"),
    ("CROWDSTRIKE_ADOPT", "all"),
    ("CROWDSTRIKE_BATCH_SIZE", "2001"),
    ("CROWDSTRIKE_IOC_CEILING", "many"),
    ("CROWDSTRIKE_MEMBER_CID", "child"),
    ("CROWDSTRIKE_API_BASE_URL", "http://api.crowdstrike.com"),
    ("CONNECTOR_CONSUMER_COUNT", "-1"),
    ("CONNECTOR_LOG_LEVEL", "chatty"),
    ("CONNECTOR_TYPE", "INTERNAL_ENRICHMENT"),
    ("CONNECTOR_LIVE_STREAM_LISTEN_DELETE", "maybe"),
    ("CONNECTOR_LIVE_STREAM_NO_DEPENDENCIES", "maybe"),
    ("CONNECTOR_LIVE_STREAM_WITH_INFERENCES", "maybe"),
    ("CONNECTOR_LIVE_STREAM_START_TIMESTAMP", "yesterday"),
    ("CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE", "a while ago"),
    ("OPENCTI_JSON_LOGGING", "sometimes"),
    ("METRICS_ENABLE", "perhaps"),
    ("SALLYPORT_GUARDRAILS", "half"),
])
def test_a_value_that_cannot_be_is_refused_by_name(name: str, value: str, flow: Flow) -> None:
    done = flow.sallyport.run(*DROP_IN, env={**flow.environment, name: value})
    assert done.status == 3, done.err
    assert name in done.err


# covers: key:METRICS_PORT, key:METRICS_ADDR
@pytest.mark.parametrize("name, value", [("METRICS_PORT", "70000"), ("METRICS_ADDR", "nowhere")])
def test_the_metrics_listener_is_judged_where_it_is_on(name: str, value: str, flow: Flow) -> None:
    done = flow.sallyport.run(*DROP_IN, env={**flow.environment, "METRICS_ENABLE": "true", name: value})
    assert done.status == 3 and name in done.err


# Remotes.


# covers: bad:token, octi:auth-required, key:OPENCTI_TOKEN, octi:errors
def test_a_wrong_token_is_named(flow: Flow, feed: Feed, falcon: FalconSimulator) -> None:
    wrong = {**flow.environment, "OPENCTI_TOKEN": "00000000-0000-4000-8000-000000000000"}
    checked = flow.sallyport.run("check", "opencti-crowdstrike", env=wrong)
    assert checked.status == 4 and "token" in (checked.out + checked.err).lower()
    program = flow.start(OPENCTI_TOKEN=wrong["OPENCTI_TOKEN"])
    wait_for_trouble(flow, program, "token")
    assert falcon.writes() == 0
    program.stop()


# covers: bad:token (Falcon), falcon:token-errors, key:CROWDSTRIKE_CLIENT_SECRET
def test_a_wrong_secret_is_named(flow: Flow, feed: Feed) -> None:
    wrong = {**flow.environment, "CROWDSTRIKE_CLIENT_SECRET": "x" * 40}
    checked = flow.sallyport.run("check", "opencti-crowdstrike", env=wrong)
    assert checked.status == 4 and "secret" in (checked.out + checked.err).lower()


# covers: bad:scope, falcon:403-scope, cli:check
def test_a_missing_scope_is_named_and_costs_nothing(flow: Flow, feed: Feed, falcon: FalconSimulator) -> None:
    falcon.scopes("ioc:read")
    checked = flow.sallyport.run("check", "opencti-crowdstrike", env=flow.environment)
    assert checked.status == 4 and "IOC Management" in checked.out + checked.err
    program = flow.start()
    wait_for_trouble(flow, program, "scope")
    falcon.scopes("ioc:read", "ioc:write")
    program.wait_until(lambda: falcon.stands(feed.table), "the event was kept and is delivered now")
    assert program.stop() == 0


# covers: bad:stream-stopped, stream:status-410
def test_a_stopped_stream_is_named_and_waited_for(
    flow: Flow, feed: Feed, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    opencti.stream("stopped")
    checked = flow.sallyport.run("check", "opencti-crowdstrike", env=flow.environment)
    assert checked.status == 4 and "stopped" in (checked.out + checked.err).lower()
    program = flow.start()
    wait_for_trouble(flow, program, "stopped")
    assert program.stop() == 0
    opencti.stream("running")
    flow.run_until_it_stands(feed)


# covers: bad:stream-private, stream:status-401
def test_a_stream_without_access_is_named(flow: Flow, feed: Feed, opencti: OpenCTISimulator) -> None:
    opencti.stream("private")
    program = flow.start()
    wait_for_trouble(flow, program, "access")
    assert program.stop() == 0


# covers: stream:html
def test_a_page_instead_of_a_stream_is_named(flow: Flow, feed: Feed) -> None:
    program = flow.start(OPENCTI_URL=flow.environment["OPENCTI_URL"] + "/wrong")
    wait_for_trouble(flow, program)
    program.stop()


# covers: bad:certificate, key:OPENCTI_SSL_VERIFY, key:HTTPS_CA_CERTIFICATES
def test_a_certificate_that_nobody_signed(flow: Flow, feed: Feed, opencti: OpenCTISimulator, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    front = TLSFront(opencti.url, cert, key)
    try:
        https = {**flow.environment, "OPENCTI_URL": front.url}
        refused = flow.sallyport.run("check", "opencti-crowdstrike", env=https)
        assert refused.status == 4 and "certificate" in (refused.out + refused.err).lower()
        for trust in (
            {"OPENCTI_SSL_VERIFY": str(cert)}, {"HTTPS_CA_CERTIFICATES": str(cert)},
            {"HTTPS_CA_CERTIFICATES": cert.read_text()}, {"OPENCTI_SSL_VERIFY": "false"},
        ):
            accepted = flow.sallyport.run("check", "opencti-crowdstrike", env={**https, **trust})
            assert accepted.status == 0, (trust, accepted.out, accepted.err)
    finally:
        front.close()


# Events.


# covers: bad:json, event:bad-json, better:poison, cli:dlq-list
# covers: bad:pattern, pattern:error
@pytest.mark.parametrize("poison", [
    lambda feed: feed.raw("{not json"),
    lambda feed: feed.raw('{"data": 5}'),
    lambda feed: feed.raw(""),
    lambda feed: feed._append("create", {**Indicator(9).stix(), "pattern": "[domain-name:value = "}),
    lambda feed: feed._append("create", {**Indicator(9).stix(), "pattern": 17}),
], ids=["no JSON", "no object", "no data", "broken pattern", "pattern of the wrong type"])
def test_a_poison_event_is_put_aside_and_the_stream_goes_on(
    poison: Callable[[Feed], str], flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    feed = Feed()
    feed.create(Indicator(1))
    poison(feed)
    feed.create(Indicator(2))
    opencti.load(feed.events)
    flow.run_until_it_stands(feed)
    letters = flow.sallyport.run("dlq", "list", "--json", *DROP_IN[1:], env=flow.environment)
    assert letters.status == 0 and len(letters.json_lines) == 1, letters


# covers: bad:value, value:invalid, falcon:fql
@pytest.mark.parametrize("value", ["", " ", "x", "exa mple.org", "a'+deleted:true", '"', "\\\\", "999.1.1.1", "-.example", "a" * 300])
def test_a_bad_value_is_skipped(value: str, flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator) -> None:
    feed = Feed()
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    feed._append("create", {**Indicator(9).stix(), "pattern": f"[domain-name:value = '{escaped}']"})
    feed.create(Indicator(1))
    opencti.load(feed.events)
    flow.run_until_it_stands(feed)


# covers: bad:id
def test_odd_ids_of_objects_do_not_stop_the_flow(flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator) -> None:
    feed = Feed()
    feed.create(Indicator(1))
    for number, identity in enumerate(["", "indicator--", "indicator--x", 7, None, "i" * 5_000]):
        odd = Indicator(100 + number).stix()
        odd["id"] = identity
        odd["extensions"][OCTI]["id"] = identity
        feed._append("create", odd)
    feed.create(Indicator(2))
    opencti.load(feed.events)
    program = flow.start()
    program.wait_until(lambda: {Indicator(1).key, Indicator(2).key} <= falcon.table().keys(), "the good ones stand")
    flow.wait_until_idle(program, len(feed.events))
    assert program.stop() == 0


# State.


# covers: bad:state-corrupt
def test_a_damaged_state_file_is_named_and_left_alone(flow: Flow, feed: Feed) -> None:
    flow.run_until_it_stands(feed)
    [path] = [path for path in Path(flow.environment["SALLYPORT_STATE_DIR"]).glob("*") if path.suffix in (".sqlite", ".db")]
    damaged = b"this is no database" + path.read_bytes()[19:]
    path.write_bytes(damaged)
    done = flow.sallyport.run(*DROP_IN, env=flow.environment)
    assert done.status != 0 and str(path) in done.err
    assert path.read_bytes() == damaged


# covers: bad:state-unwritable, key:SALLYPORT_STATE_DIR
def test_a_state_folder_that_cannot_be_made_is_named(flow: Flow) -> None:
    done = flow.sallyport.run(*DROP_IN, env={**flow.environment, "SALLYPORT_STATE_DIR": "/proc/sallyport"})
    assert done.status != 0 and "/proc/sallyport" in done.err


# covers: state:two-processes
def test_a_second_process_on_one_state_is_refused(flow: Flow, feed: Feed, falcon: FalconSimulator) -> None:
    program = flow.start()
    program.wait_until(lambda: falcon.stands(feed.table), "the first one works")
    second = flow.sallyport.run(*DROP_IN, env=flow.environment)
    assert second.status != 0 and "another" in second.err.lower()
    assert program.stop() == 0


@pytest.fixture
def small_disk(flow: Flow, tmp_path: Path) -> Iterator[Callable[[str], Program]]:
    """Starts the flow with its state on a file system of the given size, which exists for that process alone."""
    mount = tmp_path / "small"
    mount.mkdir()
    programs: list[Program] = []

    def start(size: str) -> Program:
        script = 'mount -t tmpfs -o "size=$0" sallyport "$1" && shift && exec "$@"'
        flow.listener = flow.listener or "127.0.0.1:0"
        program = Program(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", script, size, str(mount), str(flow.sallyport.binary), *DROP_IN],
            flow.sallyport.environment({**flow.environment, "SALLYPORT_STATE_DIR": str(mount)}),
            tmp_path, flow.sallyport.logs / "small-disk")
        programs.append(program)
        return program

    yield start
    for program in programs:
        program.kill()


# covers: bad:disk-full
def test_a_full_disk_holds_the_flow_back_and_loses_nothing(
    small_disk: Callable[[str], Program], flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator, tmp_path: Path,
) -> None:
    feed = Feed()
    feed.create(Indicator(1))
    opencti.load(feed.events)
    program = small_disk("8m")
    program.wait_until(lambda: falcon.stands(feed.table), "the first IOC")

    inside = Path(f"/proc/{program.process.pid}/root") / (tmp_path / "small").relative_to("/")
    filler = inside / "filler"
    with filler.open("wb") as file, pytest.raises(OSError):
        while True:
            file.write(os.urandom(65_536))
            file.flush()
    for number in range(2, 3_000):
        feed.create(Indicator(number))
    opencti.push(feed.events[1:])
    program.wait_until(lambda: "full" in program.err.lower(), "the log says that the disk is full")
    assert program.is_running
    filler.unlink()
    program.wait_until(lambda: falcon.stands(feed.table), "everything arrives once there is room")
    assert program.stop() == 0
