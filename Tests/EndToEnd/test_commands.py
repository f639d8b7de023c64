# SPDX-License-Identifier: Apache-2.0
"""The commands an operator has, on a state that a real run left behind."""
from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.feed import Feed, Indicator, varied
from support.flow import Flow
from support.program import Result, Sallyport
from support.simulators import FalconSimulator, OpenCTISimulator

NAME = ("--connector", "opencti-crowdstrike")


def command(flow: Flow, *arguments: str, **settings: str) -> Result:
    return flow.sallyport.run(*arguments, *NAME, env={**flow.environment, **settings})


@pytest.fixture
def feed(opencti: OpenCTISimulator) -> Feed:
    feed = varied(40)
    opencti.load(feed.events)
    return feed


# check


# covers: cli:check, octi:stream-collection, octi:health, cli:json, cli:exit-codes (0)
def test_check_finds_all_well(flow: Flow) -> None:
    done = command(flow, "check", "--json")
    lines = done.json_lines
    assert done.status == 0, lines
    assert {line["verdict"] for line in lines} <= {"ok", "warning"}
    text = json.dumps(lines)
    for part in ("CONNECTORAPI", "TAXIIAPI", "IOC Management: Read", "IOC Management: Write", "Entity type", "Pattern type"):
        assert part.lower() in text.lower(), part


# covers: cli:exit-codes (4)
def test_check_says_when_nobody_answers(flow: Flow) -> None:
    done = command(flow, "check", OPENCTI_URL="http://127.0.0.1:9", CROWDSTRIKE_API_BASE_URL="http://127.0.0.1:9")
    assert done.status == 4


# plan


# covers: cli:plan
def test_plan_tells_what_would_change_and_changes_nothing(flow: Flow, feed: Feed, falcon: FalconSimulator) -> None:
    planned = command(flow, "plan", "--json", CROWDSTRIKE_PERMANENT_DELETE="true")
    assert planned.status == 0, planned.err
    assert {line["subject"] for line in planned.json_lines} >= {f"{kind}:{value}" for kind, value in feed.table}
    assert falcon.writes() == 0
    flow.run_until_it_stands(feed, CROWDSTRIKE_PERMANENT_DELETE="true")
    before = falcon.writes()
    again = command(flow, "plan", "--json", CROWDSTRIKE_PERMANENT_DELETE="true")
    assert again.status == 0 and again.out == ""
    assert falcon.writes() == before


# explain


# covers: cli:explain (a code), cli:json
def test_explain_says_what_a_code_means(sallyport: Sallyport) -> None:
    plain = sallyport.run("explain", "falcon.rate_limit")
    assert plain.status == 0 and "request budget" in plain.out
    assert sallyport.run("explain", "falcon.rate_limit", "--json").json["remedy"]


# covers: cli:explain
def test_explain_tells_a_values_whole_way(flow: Flow, opencti: OpenCTISimulator) -> None:
    indicator = Indicator(1, score=90, labels=["apt"])
    feed = Feed()
    feed.create(indicator)
    opencti.load(feed.events)
    flow.run_until_it_stands(feed)
    [ioc] = flow.falcon.iocs()
    for subject in (indicator.value, indicator.value.upper(), indicator.internal_id):
        told = command(flow, "explain", "--json", subject)
        kinds: dict[str, Any] = {line["kind"]: line for line in told.json_lines}
        assert told.status == 0, (subject, told)
        assert kinds["entry"]["remote_id"] == ioc["id"]
        assert kinds["entry"]["owners"][0]["source"] == indicator.internal_id
        assert kinds["history"]["outcome"] == "delivered"
    assert command(flow, "explain", "nobody.example").status == 1


# dlq


# covers: cli:dlq-list, cli:dlq-show, cli:dlq-retry, cli:dlq-discard, call:refused, better:bisect
def test_dead_letters_are_listed_shown_retried_and_discarded(
    flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    feed = Feed()
    for number in range(20):
        feed.create(Indicator(number))
    refused = Indicator(7)
    opencti.load(feed.events)
    # The tenant has this one from somebody else, and it is not ours to take.
    falcon.load([{
        "id": "f" * 64, "type": "domain", "value": refused.value, "action": "detect", "severity": "low",
        "platforms": ["windows"], "applied_globally": True, "created_by": "somebody-else", "source": "hand-made"}])
    program = flow.start()
    flow.wait_until_idle(program, len(feed.events))
    assert program.stop() == 0

    [letter] = command(flow, "dlq", "list", "--json").json_lines
    assert letter["attempts"] == 1 and letter["reason"]
    shown = command(flow, "dlq", "show", str(letter["id"]), "--json").json_lines
    assert refused.value in shown[0]["input"]
    assert len(falcon.iocs()) == 20, "the other nineteen of its batch went through"

    falcon.reset()
    assert command(flow, "dlq", "retry", str(letter["id"])).status == 0
    program = flow.start()
    program.wait_until(lambda: refused.key in falcon.table(), "the letter went through")
    program.wait_until(lambda: not command(flow, "dlq", "list", "--json").out, "the letter is gone")
    assert program.stop() == 0
    assert command(flow, "dlq", "discard", "all").status == 1, "there is nothing left"


# approve


# covers: cli:approve, guard:delete-ceiling
def test_a_burst_of_deletes_waits_for_approval(flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator) -> None:
    settings = {
        "CROWDSTRIKE_PERMANENT_DELETE": "true", "SALLYPORT_GUARDRAILS_DELETE_CEILING": "10",
        "SALLYPORT_GUARDRAILS_DELETE_SHARE": "0.2"}
    feed = Feed()
    indicators = [Indicator(number) for number in range(40)]
    for indicator in indicators:
        feed.create(indicator)
    opencti.load(feed.events)
    program = flow.start(**settings)
    program.wait_until(lambda: falcon.stands(feed.table), "forty IOCs")
    for indicator in indicators[:30]:
        feed.delete(indicator, permanent=True)
    opencti.push(feed.events[40:])
    program.wait_until(lambda: "ceiling" in flow.trouble(), "the flow says why it stopped")
    assert len(falcon.iocs()) >= 30
    # Each approval begins a new count, so thirty deletes take three at most.
    for _ in range(3):
        here = len(falcon.iocs())
        assert command(flow, "approve", **settings).status == 0
        program.wait_until(lambda: len(falcon.iocs()) < here or falcon.stands(feed.table), "the deletes go on")
        program.wait_until(lambda: falcon.stands(feed.table) or "ceiling" in flow.trouble(), "to the end or the next stop")
    falcon.assert_stands(feed.table)
    assert program.stop() == 0


# guardrails


# covers: guard:addresses, guard:resolvers, guard:empty-file, guard:suffixes, guard:documentation
def test_guardrails_hold_back_what_no_feed_should_block(
    flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    vetoed = {
        "ipv4": ["10.0.0.1", "127.0.0.1", "169.254.1.1", "192.168.1.1", "224.0.0.1", "0.0.0.0", "8.8.8.8", "1.1.1.1"],
        "ipv6": ["::1", "fe80::1", "fd00::1", "ff02::1", "::", "2001:4860:4860::8888"],
        "domain": ["co.uk", "github.io"],
        "md5": ["d41d8cd98f00b204e9800998ecf8427e"],
        "sha256": ["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    }
    passed = {"ipv4": ["203.0.113.7", "198.51.100.1"], "ipv6": ["2001:db8::1"], "domain": ["www.example.com"]}
    feed = Feed()
    paths = {"domain": "domain-name:value", "ipv4": "ipv4-addr:value", "ipv6": "ipv6-addr:value",
             "md5": "file:hashes.MD5", "sha256": "file:hashes.'SHA-256'"}
    number = 0
    for values in (vetoed, passed):
        for kind, some in values.items():
            for value in some:
                number += 1
                feed._append("create", Indicator(number, pattern=f"[{paths[kind]} = '{value}']").stix())
    opencti.load(feed.events)
    program = flow.start()
    now = flow.wait_until_idle(program, len(feed.events))
    assert program.stop() == 0
    assert {key for key in falcon.table()} == {(kind, value) for kind, some in passed.items() for value in some}
    assert now.sum("sallyport_effects_total", outcome="vetoed") == sum(map(len, vetoed.values()))
    told = command(flow, "explain", "--json", "8.8.8.8").json_lines
    assert [line["outcome"] for line in told if line["kind"] == "history"] == ["vetoed"]


# covers: guard:off, key:SALLYPORT_GUARDRAILS
def test_guardrails_can_be_switched_off_loudly(flow: Flow, opencti: OpenCTISimulator) -> None:
    feed = Feed()
    feed._append("create", Indicator(1, pattern="[ipv4-addr:value = '10.0.0.1']").stix())
    feed.table["ipv4", "10.0.0.1"] = {"source": "OpenCTI IOC"}
    opencti.load(feed.events)
    flow.run_until_it_stands(feed, SALLYPORT_GUARDRAILS="off")
    assert "GUARDRAILS ARE OFF" in flow.sallyport.started[-1].err


# the rest


# covers: cli:version, cli:json
def test_version(sallyport: Sallyport) -> None:
    assert sallyport.run("version").out.startswith("sallyport ")
    assert sallyport.run("version", "--json").json["version"]


# covers: cli:help, cli:exit-codes (2)
def test_help_and_usage(sallyport: Sallyport) -> None:
    top = sallyport.run("--help")
    assert top.status == 0
    for name in ("run", "check", "plan", "explain", "dlq", "approve", "pattern", "simulate", "demo", "settings", "version"):
        assert name in top.out
        assert sallyport.run(name, "--help").status == 0
    wrong = sallyport.run("chekc")
    assert wrong.status == 2 and "check" in wrong.err, "the nearest name is suggested"
    assert sallyport.run("run", "--connector", "opencti-crowdstrik").status == 2


# covers: cli:completions
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions(shell: str, sallyport: Sallyport, tmp_path: Path) -> None:
    script = sallyport.run("completions", shell)
    assert script.status == 0 and "approve" in script.out
    if shell == "bash":
        file = tmp_path / "completions"
        file.write_text(script.out)
        subprocess.run(["bash", "-n", str(file)], check=True)
