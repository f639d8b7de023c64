# SPDX-License-Identifier: Apache-2.0
"""Enrichment over TLS: RabbitMQ's own listener with its certificates, and the connector's listener for requests."""
from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from support.broker import Broker
from support.enrichment import CONNECTOR, Enrichment, known_answer
from support.network import PKI, free_port
from support.simulators import TOKEN


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> PKI:
    return PKI(tmp_path_factory.mktemp("pki"))


# RabbitMQ


def over_tls(broker: Broker, **changes: str) -> dict[str, str]:
    """Settings for the broker's encrypted port; an empty value leaves one out."""
    settings = {
        "MQ_HOST": "127.0.0.1", "MQ_PORT": str(broker.tls_port), "MQ_USE_SSL": "true",
        "MQ_USE_SSL_CA": str(broker.pki.authority), "MQ_USE_SSL_CERT": str(broker.pki.client_certificate),
        "MQ_USE_SSL_KEY": str(broker.pki.client_key), "MQ_USE_SSL_PASSPHRASE": broker.pki.passphrase, **changes}
    return {name: value for name, value in settings.items() if value}


def assert_enriches(enrichment: Enrichment) -> None:
    enrichment.crowdsec.prepare("45.0.0.9", [known_answer("45.0.0.9")])
    [work] = enrichment.ask(enrichment.observables("45.0.0.9"))
    enrichment.finished([work])
    assert enrichment.message(work).startswith("CrowdSec enrichment completed for IP: 45.0.0.9")
    assert [bundle["way"] for bundle in enrichment.bundles()] == ["amqp"] * 4


# covers: key:MQ_USE_SSL key:MQ_USE_SSL_CA key:MQ_USE_SSL_CERT key:MQ_USE_SSL_KEY key:MQ_USE_SSL_PASSPHRASE bus:tls
# covers: key:MQ_HOST key:MQ_PORT
@pytest.mark.parametrize("as_text", [False, True], ids=["files", "text"])
def test_a_verified_broker_and_a_client_certificate(enrichment: Enrichment, broker_server: Broker, as_text: bool) -> None:
    settings = over_tls(broker_server)
    if as_text:
        for name in ("MQ_USE_SSL_CA", "MQ_USE_SSL_CERT", "MQ_USE_SSL_KEY"):
            settings[name] = Path(settings[name]).read_text()
    program = enrichment.start(**settings)
    assert_enriches(enrichment)
    assert "not verified" not in program.err
    # Neither key nor passphrase is told to anybody.
    assert broker_server.pki.passphrase not in program.err and "PRIVATE KEY" not in program.err


# covers: key:MQ_USE_SSL_REJECT_UNAUTHORIZED bus:tls-unverified
def test_an_unverified_broker_only_where_somebody_says_so(enrichment: Enrichment, broker_server: Broker) -> None:
    settings = over_tls(broker_server, MQ_USE_SSL_CA=str(broker_server.pki.other_authority))
    program = enrichment.start(**settings)
    program.wait_until(lambda: "broker.tls" in program.err, "the broker is refused")
    program.stop()
    assert "Reading requests" not in program.err

    program = enrichment.start(**settings, MQ_USE_SSL_REJECT_UNAUTHORIZED="false")
    assert_enriches(enrichment)
    assert "TLS certificates are not verified" in program.err


# covers: bus:tls-client
def test_a_broker_that_wants_a_client_certificate_gets_one_or_nothing(
    enrichment: Enrichment, broker_server: Broker,
) -> None:
    program = enrichment.start(**over_tls(broker_server, MQ_USE_SSL_CERT="", MQ_USE_SSL_KEY="", MQ_USE_SSL_PASSPHRASE=""))
    program.wait_until(lambda: "Requests can't be read from RabbitMQ" in program.err, "the broker refuses")
    program.stop()
    assert "Reading requests" not in program.err

    program = enrichment.start(**over_tls(broker_server, MQ_USE_SSL_PASSPHRASE="wrong"))
    program.wait_until(lambda: "passphrase do not fit" in program.err, "the reason is told")


# covers: bus:tls-file
def test_a_missing_file_is_named(enrichment: Enrichment, broker_server: Broker) -> None:
    program = enrichment.launch(**over_tls(broker_server, MQ_USE_SSL_CA="/nowhere/ca.pem"))
    assert program.wait() == 3
    assert "/nowhere/ca.pem" in program.err


# The listener for requests


def listening(pki: PKI, port: int, **changes: str) -> dict[str, str]:
    settings = {
        "CONNECTOR_LISTEN_PROTOCOL": "API", "CONNECTOR_QUEUE_PROTOCOL": "api", "CONNECTOR_LISTEN_PROTOCOL_API_SSL": "true",
        "CONNECTOR_LISTEN_PROTOCOL_API_PORT": str(port), "LISTEN_PROTOCOL_API_SSL_CERT": str(pki.certificate),
        "LISTEN_PROTOCOL_API_SSL_KEY": str(pki.key), **changes}
    return {name: value for name, value in settings.items() if value}


# covers: key:CONNECTOR_LISTEN_PROTOCOL_API_SSL key:LISTEN_PROTOCOL_API_SSL_CERT key:LISTEN_PROTOCOL_API_SSL_KEY
# covers: key:LISTEN_PROTOCOL_API_SSL_PASSPHRASE bus:callback-tls
@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain-key", "encrypted-key"])
def test_the_listener_speaks_tls(callback_enrichment: Enrichment, pki: PKI, is_encrypted: bool) -> None:
    enrichment = callback_enrichment
    # Its worker sends our own token, so that we can do what the worker does.
    enrichment.opencti.post("version", {"version": "6.5.3"})
    port = free_port()
    settings = listening(pki, port)
    if is_encrypted:
        settings["LISTEN_PROTOCOL_API_SSL_CERT"] = pki.certificate.read_text()
        settings["LISTEN_PROTOCOL_API_SSL_KEY"] = pki.encrypted_key.read_text()
        settings["LISTEN_PROTOCOL_API_SSL_PASSPHRASE"] = pki.passphrase
    program = enrichment.start(**settings)
    program.wait_until(lambda: "Listening for requests" in program.err, "it listens")
    enrichment.crowdsec.prepare("45.0.0.9", [known_answer("45.0.0.9")])
    [identity] = enrichment.observables("45.0.0.9")
    context = ssl.create_default_context(cafile=str(pki.authority))
    request = urllib.request.Request(
        f"https://127.0.0.1:{port}/api/callback", headers={"Authorization": f"Bearer {TOKEN}"},
        data=json.dumps({"internal": {"work_id": None}, "event": {"entity_id": identity}}).encode())

    with urllib.request.urlopen(request, context=context, timeout=30) as answer:
        assert answer.status == 202

    program.wait_until(enrichment.bundles, "the bundle")
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(request, timeout=30)  # An authority that nobody knows.
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30)
    registered = enrichment.opencti.graphql(
        "query C($id: String!) { connector(id: $id) { config { listen_callback_uri } } }", {"id": CONNECTOR})
    assert registered["connector"]["config"]["listen_callback_uri"] == f"https://127.0.0.1:{port}/api/callback"
    assert pki.passphrase not in program.err and "PRIVATE KEY" not in program.err


# covers: bus:callback-tls-wrong
@pytest.mark.parametrize(("changes", "words"), [
    ({"LISTEN_PROTOCOL_API_SSL_CERT": ""}, "LISTEN_PROTOCOL_API_SSL_CERT"),
    ({"LISTEN_PROTOCOL_API_SSL_KEY": ""}, "LISTEN_PROTOCOL_API_SSL_KEY"),
    ({"LISTEN_PROTOCOL_API_SSL_KEY": "/nowhere/key.pem"}, "/nowhere/key.pem"),
    ({"LISTEN_PROTOCOL_API_SSL_KEY": "-----BEGIN nonsense"}, "do not fit each other"),
], ids=["no-certificate", "no-key", "no-file", "no-pem"])
def test_a_listener_without_what_tls_needs_does_not_start(
    callback_enrichment: Enrichment, pki: PKI, changes: dict[str, str], words: str,
) -> None:
    program = callback_enrichment.launch(**listening(pki, free_port(), **changes))
    assert program.wait() == 3
    assert words in program.err
