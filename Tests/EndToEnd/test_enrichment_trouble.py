# SPDX-License-Identifier: Apache-2.0
"""An enrichment connector when something around it breaks: a crash before the last report, a broker that is full or away."""
from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from support.broker import Broker
from support.enrichment import Enrichment, known_answer
from support.network import free_port


def prepared(enrichment: Enrichment, value: str) -> str:
    enrichment.crowdsec.prepare(value, [known_answer(value)])
    [identity] = enrichment.observables(value)
    return identity


class Health:
    def __init__(self) -> None:
        self.port = free_port()
        self.settings = {"SALLYPORT_HTTP_LISTEN": f"127.0.0.1:{self.port}"}

    def text(self) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=30) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError:
            return ""

    def status(self) -> str:
        parts = json.loads(self.text() or '{"components": []}')["components"]
        return next((part["status"] for part in parts if part["name"] == "crowdsec"), "")


# covers: bus:unreported
def test_a_work_whose_bundle_was_taken_is_reported_after_a_crash(enrichment: Enrichment) -> None:
    program = enrichment.start()
    identity = prepared(enrichment, "45.0.0.9")
    # Received and announced; the report of its end hangs.
    enrichment.opencti.fault("half_open", times=1, lasting=600, operation="workEdit", skip=2)
    [work] = enrichment.ask([identity])
    # The platform's worker is through with everything that was announced, which completes the work.
    program.wait_until(lambda: enrichment.work(work)["status"] == "complete", "the bundle has been taken")
    program.wait_until(lambda: enrichment.opencti.faults_left() == 0, "the report hangs")
    program.kill()
    assert enrichment.work(work)["processed_time"] is None

    enrichment.start()

    assert "completed before the connector was restarted (4 objects)" in enrichment.message(work)
    assert enrichment.work(work)["tracking"]["import_expected_number"] == 4, "it was announced once"
    assert enrichment.work(work)["errors"] == [] and len(enrichment.bundles()) == 4
    assert enrichment.crowdsec.usage()["requests"] == 1, "no token of the quota is spent again"


@pytest.fixture
def short_of_memory(broker_server: Broker) -> Iterator[Broker]:
    yield broker_server
    broker_server.allow_memory(0.4)


# covers: bus:blocked
def test_a_memory_alarm_shows_in_health_and_ends(enrichment: Enrichment, short_of_memory: Broker) -> None:
    health = Health()
    program = enrichment.start(**health.settings)
    identity = prepared(enrichment, "45.0.0.9")
    program.wait_until(lambda: health.status() == "ok", "it is well")
    enrichment.crowdsec.fault("half_open", times=1, lasting=600, path="/v2/*")
    [work] = enrichment.ask([identity])
    program.wait_until(lambda: enrichment.crowdsec.faults_left() == 0, "the look-up is under way")
    program.kill()
    short_of_memory.allow_memory(0)

    # It still reads requests; what it publishes is not taken.
    program = enrichment.start(**health.settings)
    program.wait_until(lambda: "RabbitMQ takes nothing" in health.text(), "health speaks of it")
    assert health.status() == "degraded"
    assert enrichment.bundles() == []
    short_of_memory.allow_memory(0.4)

    enrichment.finished([work])
    assert [bundle["way"] for bundle in enrichment.bundles()] == ["amqp"] * 4
    program.wait_until(lambda: health.status() == "ok", "it is well again")


# covers: bus:push-fallback
def test_bundles_go_through_the_api_while_the_broker_is_away(enrichment: Enrichment, broker_server: Broker) -> None:
    health = Health()
    program = enrichment.start(**health.settings)
    identity = prepared(enrichment, "45.0.0.9")
    enrichment.crowdsec.fault("latency", 1500, times=1, path="/v2/*")
    [work] = enrichment.ask([identity])
    program.wait_until(lambda: enrichment.crowdsec.faults_left() == 0, "the look-up is under way")
    broker_server.kill()
    try:
        enrichment.finished([work])
        assert [bundle["way"] for bundle in enrichment.bundles()] == ["api"] * 4
        assert "bundles go through OpenCTI's API" in program.err
        program.wait_until(lambda: "RabbitMQ" in health.text(), "health speaks of it")
    finally:
        broker_server.start()

    # The request comes again: it has been done.
    program.wait_until(
        lambda: program.err.count("Reading requests from RabbitMQ") >= 2 and health.status() == "ok", "it is well again")
    [other] = enrichment.ask([prepared(enrichment, "45.0.0.10")])
    enrichment.finished([other])
    ways = [bundle["way"] for bundle in enrichment.bundles()]
    assert ways == ["api"] * 4 + ["amqp"] * 4
    assert enrichment.work(work)["tracking"]["import_expected_number"] == 4
