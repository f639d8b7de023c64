# SPDX-License-Identifier: Apache-2.0
"""Falcon's detections and quarantine through VMRay and back, in the release binary."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.program import Sallyport, eventually
from support.simulators import FalconSimulator, VMRaySimulator
from support.triage import HOSTS, USER, Triage, composite, sha256

EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


@pytest.fixture
def triage(sallyport: Sallyport, falcon: FalconSimulator, vmray: VMRaySimulator) -> Triage:
    vmray.settings(analysis_ms=0)
    return Triage(sallyport, falcon, vmray)


# covers: triage:run_known, triage:run_again
def test_a_known_malicious_sample_is_reported_once(triage: Triage) -> None:
    alert = triage.alert(1, "alpha")
    file = triage.quarantine("alpha", HOSTS[1])
    triage.known("alpha", "malicious", threat_names=["Mal.X"], iocs={"malicious": {
        "ips": [{"ip_address": "203.0.113.9", "domains": ["dns.google", "com"], "verdict": "malicious"}],
        "files": [{"hashes": [{"sha256_hash": sha256("dropped")}], "verdict": "malicious"}]}})
    program = triage.run()
    assert program.process.returncode == 0, program.err
    [comment] = triage.comments(alert)
    assert comment.startswith(f"VMRay verdict for {sha256('alpha')}: malicious. Report: https://")
    assert comment.endswith("Threat names: Mal.X")
    assert triage.status(alert) == "in_progress"
    assert triage.iocs() == {
        ("sha256", sha256("alpha")): "prevent", ("sha256", sha256("dropped")): "prevent",
        ("ipv4", "203.0.113.9"): "detect", ("domain", "dns.google"): "detect"}
    [update] = triage.acts("UpdateQuarantinedDetectsByIds")
    assert update["body"]["ids"] == [file] and update["body"]["action"] == "unrelease"
    assert not triage.vmray.submissions() and not triage.contained() and not triage.cases()
    before = triage.picture()
    assert triage.run().process.returncode == 0
    assert triage.picture() == before
    assert not triage.falcon.lines("violations")


# covers: triage:run_submitted, triage:run_late_alert
def test_an_unknown_sample_is_analysed_and_a_later_alert_is_told_too(triage: Triage) -> None:
    first = triage.alert(1, EICAR)
    triage.sample(EICAR)
    assert triage.run().process.returncode == 0
    [submission] = triage.vmray.submissions()
    assert submission["sha256"] == sha256(EICAR)
    assert "malicious" in triage.comments(first)[0]
    iocs = triage.iocs()
    second = triage.alert(2, EICAR, HOSTS[1])
    assert triage.run().process.returncode == 0
    assert (len(triage.comments(first)), len(triage.comments(second))) == (1, 1)
    assert triage.iocs() == iocs and len(triage.vmray.submissions()) == 1


# covers: triage:run_clean, triage:run_no_verdict
def test_clean_closes_and_releases_only_where_wanted_and_no_verdict_does_nothing(triage: Triage) -> None:
    clean, none, failed = triage.alert(1, "clean"), triage.alert(2, "none"), triage.alert(3, "failed")
    file = triage.quarantine("clean")
    for word in "clean", "none", "failed":
        triage.sample(word)
    triage.verdict("clean", "clean")
    triage.verdict("none", "not_available")
    triage.verdict("failed", "clean", fails=True)
    assert triage.run(VMRAY_RELEASE_ON_CLEAN="true").process.returncode == 0
    assert [triage.status(alert) for alert in (clean, none, failed)] == ["closed", "new", "new"]
    assert all("gave no verdict" in triage.comments(alert)[0] for alert in (none, failed))
    [act] = triage.acts("UpdateQuarantinedDetectsByIds")
    assert act["body"]["action"] == "release" and act["body"]["ids"] == [file]
    assert not triage.iocs()


# covers: triage:run_failures, triage:exit_codes, triage:dlq, triage:dlq_retry
def test_failures_end_in_named_states_and_others_go_on(triage: Triage) -> None:
    good = triage.alert(1, "good")
    triage.sample("good")
    triage.verdict("good", "suspicious")
    triage.alert(2, "gone")
    triage.alert(3, "refused")
    triage.sample("refused")
    triage.verdict("refused", "clean", rejection="file type is not supported")
    triage.alert(4, "broken")
    triage.sample("broken", shape="wrong_content")
    triage.alert(5, "hangs")
    triage.sample("hangs")
    triage.verdict("hangs", None, hangs=True)
    triage.alert(6, "large")
    triage.sample("large" * 300)
    triage.falcon.post("samples", [{"content": "large" * 300, "sha256": sha256("large")}])
    settings = {"VMRAY_ANALYSIS_JOB_TIMEOUT": "1", "VMRAY_MAX_SAMPLE_SIZE": "1000"}
    first = triage.run(**settings)
    assert first.process.returncode == 1, first.err
    for outcome in ("suspicious=1", "download_failed=1", "submit_failed=1", "integrity_failed=1", "analysis_timeout=1",
                    "too_large=1"):
        assert outcome in first.err, first.err
    assert len(triage.comments(good)) == 1
    letters = triage.command("dlq", "list", "--json").json_lines
    assert [(letter["event"], letter["code"]) for letter in letters] == [(sha256("large"), "triage.too_large")]
    triage.sample("gone")
    triage.verdict("gone", "clean")
    for _ in range(2):
        triage.run(**settings)
    letters = {letter["event"]: letter["code"] for letter in triage.command("dlq", "list", "--json").json_lines}
    assert letters == {
        sha256("large"): "triage.too_large", sha256("refused"): "triage.submit_failed",
        sha256("broken"): "triage.integrity_failed", sha256("hangs"): "triage.analysis_timeout"}
    assert len([line for line in triage.vmray.submissions() if line["sha256"] == sha256("hangs")]) == 1
    triage.verdict("refused", "suspicious")
    assert triage.command("dlq", "retry", "all").status == 0
    triage.run(**settings)
    left = {letter["event"] for letter in triage.command("dlq", "list", "--json").json_lines}
    assert sha256("refused") not in left and sha256("large") in left
    explained = triage.command("explain", sha256("refused")).out
    assert "parked" in explained and "retried" in explained and "suspicious" in explained


# covers: triage:run_quota
def test_a_spent_quota_stops_submissions_of_the_run_and_counts_against_nobody(triage: Triage) -> None:
    for number, word in enumerate(["one", "two", "three"]):
        triage.alert(number, word)
        triage.sample(word)
        triage.verdict(word, "suspicious")
    known = triage.alert(9, "known")
    triage.known("known", "suspicious")
    triage.vmray.settings(quota=1)
    first = triage.run(VMRAY_MAX_CONCURRENT="1")
    assert first.process.returncode == 1 and "quota=2" in first.err
    assert len(triage.vmray.submissions()) == 1 and len(triage.comments(known)) == 1
    triage.vmray.settings(quota=10)
    assert triage.run().process.returncode == 0
    assert len(triage.vmray.submissions()) == 3
    assert not triage.command("dlq", "list", "--json").out


# covers: triage:contain_breaker, triage:contain_approve, triage:explain
def test_containment_stops_at_its_ceiling_until_somebody_approves(triage: Triage) -> None:
    for number in range(4):
        triage.alert(number, "alpha", HOSTS[number])
        triage.host(HOSTS[number], hostname=f"DC-{number}" if number == 0 else f"pc-{number}")
    triage.known("alpha", "malicious")
    settings = {
        "VMRAY_CONTAIN_HOST": "true", "VMRAY_CONTAIN_MAX": "2", "VMRAY_NEVER_CONTAIN": "dc-*",
        "VMRAY_RUNTIME_MODE": "DOCKER", "VMRAY_TIME_SPAN": "3600"}
    program = triage.start(**settings)
    program.wait_until(lambda: len(triage.contained()) == 2 and "A run has ended" in program.err, "two are contained")
    assert triage.contained() == HOSTS[1:3]
    assert triage.command("approve", **settings).status == 0
    program.wait_until(lambda: len(triage.contained()) == 3, "the third is contained")
    assert triage.contained() == HOSTS[1:4]
    assert program.stop() == 0
    explained = triage.command("explain", sha256("alpha"), **settings).out
    assert "containment ceiling" in explained and "never_contain: dc-*" in explained and "contain:" in explained
    assert "Containment requested by VMRay verdict" in triage.command("explain", HOSTS[3], **settings).out
    assert len(triage.acts("PatchEntitiesAlertsV3")) == 1


# covers: triage:release_guard
def test_releases_obey_the_ceiling_and_the_protected_hosts(triage: Triage) -> None:
    triage.known("clean", "clean")
    files = [triage.quarantine("clean", HOSTS[number]) for number in range(4)]
    for number in range(3):
        triage.host(HOSTS[number], hostname="DC-1" if number == 0 else f"pc-{number}")
    settings = {"VMRAY_RELEASE_ON_CLEAN": "true", "VMRAY_CONTAIN_MAX": "1", "VMRAY_NEVER_CONTAIN": "dc-*"}
    def released() -> list[str]:
        return [file for act in triage.acts("UpdateQuarantinedDetectsByIds") for file in act["body"]["ids"]]
    program = triage.run(**settings)
    assert program.process.returncode == 0, program.err
    # One is a domain controller's, one of a host that nobody knows, one beyond the ceiling.
    assert released() == files[1:2]
    assert triage.run(**settings).process.returncode == 0 and released() == files[1:2]
    assert triage.command("approve", **settings).status == 0
    assert triage.run(**settings).process.returncode == 0 and released() == files[1:3]
    explained = triage.command("explain", sha256("clean"), **settings).out
    assert "release ceiling" in explained and "never_contain: dc-*" in explained


# covers: triage:asked_amid_run
def test_an_approval_and_a_retry_reach_samples_amid_a_run(triage: Triage) -> None:
    triage.alert(1, "hanging", HOSTS[9])
    triage.sample("hanging")
    triage.verdict("hanging", None, hangs=True)
    triage.alert(2, "large", HOSTS[8])
    triage.sample("large" * 300)
    triage.falcon.post("samples", [{"content": "large" * 300, "sha256": sha256("large")}])
    for number in range(2):
        triage.alert(number + 3, "alpha", HOSTS[number])
        triage.host(HOSTS[number])
    triage.known("alpha", "malicious")
    settings = {
        "VMRAY_CONTAIN_HOST": "true", "VMRAY_CONTAIN_MAX": "1", "VMRAY_RUNTIME_MODE": "DOCKER", "VMRAY_TIME_SPAN": "3600",
        "VMRAY_MAX_SAMPLE_SIZE": "1000"}
    program = triage.start(**settings)
    def has_begun() -> bool:
        return "containment ceiling" in program.err and "outcome=too_large" in program.err and "outcome=malicious" in program.err
    program.wait_until(has_begun, "one host is contained, one is held back")
    assert triage.contained() == HOSTS[:1]
    assert triage.command("approve", **settings).status == 0
    program.wait_until(lambda: triage.contained() == HOSTS[:2], "the other is contained")
    triage.falcon.post("samples", [{"content": "large"}])
    triage.verdict("large", "suspicious")
    assert triage.command("dlq", "retry", "all", **settings).status == 0
    program.wait_until(lambda: triage.comments(composite(2, HOSTS[8])), "the sample is tried again")
    assert "A run has ended" not in program.err
    assert program.stop() == 0


# covers: triage:contain_groups
def test_a_host_of_a_protected_group_is_never_contained(triage: Triage) -> None:
    for number in range(3):
        triage.alert(number, "alpha", HOSTS[number])
    triage.host(HOSTS[0], groups=["a" * 32])
    triage.host(HOSTS[1])
    triage.falcon.post("entities/host_groups", [{"id": "a" * 32, "name": "Critical Servers"}])
    triage.known("alpha", "malicious")
    program = triage.run(VMRAY_CONTAIN_HOST="true", VMRAY_NEVER_CONTAIN="critical servers")
    assert program.process.returncode == 0, program.err
    # The third is unknown to Falcon: nobody can tell that it is not one of them.
    assert triage.contained() == [HOSTS[1]]


# covers: triage:dry_run, triage:plan
@pytest.mark.parametrize("way", ["dry_run", "plan"])
def test_a_rehearsal_tells_and_changes_nothing(triage: Triage, way: str) -> None:
    triage.alert(1, "alpha")
    triage.host(HOSTS[0])
    triage.quarantine("alpha")
    triage.known("alpha", "malicious")
    triage.alert(2, "beta")
    triage.sample("beta")
    before = triage.picture()
    settings = {"VMRAY_CONTAIN_HOST": "true", "VMRAY_CREATE_CASE": "true"}
    if way == "plan":
        said = triage.command("plan", "--json", **settings)
        assert said.status == 0, said.err
        planned = {(line["action"], line["subject"]) for line in said.json_lines}
        assert planned == {(action, sha256("alpha")) for action in (
            "alert_update", "ioc_create", "quarantine_update", "contain", "case_create")} | {("submit", sha256("beta"))}
    else:
        program = triage.run(VMRAY_DRY_RUN="true", **settings)
        assert program.process.returncode == 0, program.err
        for action in "alert_update", "ioc_create", "quarantine_update", "contain", "case_create", "submit":
            assert f"action={action}" in program.err
    assert triage.picture() == before and not triage.acts()
    # Nothing of it is remembered.
    assert triage.run(**settings).process.returncode == 0
    assert len(triage.acts()) > 3


# covers: triage:command, triage:command_json
def test_one_sample_on_the_terminal(triage: Triage) -> None:
    alert = triage.alert(1, EICAR, created_timestamp="2020-01-01T00:00:00Z")
    triage.sample(EICAR)
    said = triage.sallyport.run("triage", sha256(EICAR).upper(), "--json", env=triage.environment)
    assert said.status == 0, said.err
    steps = [line["step"] for line in said.json_lines[:-1]]
    assert steps[:4] == ["falcon", "look_up", "download", "submit"] and "report" in steps
    report = said.json_lines[-1]
    assert (report["outcome"], report["effects"][f"alert:{alert}"]) == ("malicious", "done")
    again = triage.sallyport.run("triage", sha256(EICAR), env=triage.environment)
    assert again.status == 0 and "malicious" in again.out and len(triage.comments(alert)) == 1
    dry = triage.sallyport.run("triage", sha256("beta"), "--dry-run", env=triage.environment)
    assert dry.status == 0 and "would     submit" in dry.out
    assert triage.sallyport.run("triage", sha256("beta"), env=triage.environment).status == 1
    assert triage.sallyport.run("triage", "abc", env=triage.environment).status == 2
    wrong = {**triage.environment, "VMRAY_API_KEY": "wrong"}
    assert triage.sallyport.run("triage", sha256("beta"), env=wrong).status == 4


# covers: triage:command_beside
def test_one_sample_beside_a_running_service(triage: Triage) -> None:
    hanging = triage.alert(1, "hanging")
    triage.sample("hanging")
    triage.verdict("hanging", None, hangs=True)
    old = triage.alert(2, EICAR, HOSTS[1], created_timestamp="2020-01-01T00:00:00Z")
    triage.sample(EICAR)
    service = triage.start(VMRAY_RUNTIME_MODE="DOCKER", VMRAY_TIME_SPAN="3600")
    service.wait_until(lambda: triage.vmray.calls("jobs") > 0, "the service waits for an analysis")
    # Amid a run that ends when that analysis does.
    said = triage.sallyport.run("triage", sha256(EICAR), "--json", env=triage.environment)
    assert said.status == 0, said.err
    steps = [line["step"] for line in said.json_lines[:-1]]
    assert steps[:5] == ["service", "falcon", "look_up", "download", "submit"] and steps[-1] == "end"
    report = said.json_lines[-1]
    assert (report["outcome"], report["effects"][f"alert:{old}"]) == ("malicious", "done")
    again = triage.sallyport.run("triage", sha256(EICAR), env=triage.environment)
    assert again.status == 0 and "malicious" in again.out
    assert len(triage.comments(old)) == 1 and not triage.comments(hanging)
    # A sample that nobody has.
    gone = triage.sallyport.run("triage", sha256("gone"), "--json", env=triage.environment)
    assert gone.status == 1 and gone.json_lines[-1]["outcome"] == "download_failed", gone.out
    # The service goes while a command waits.
    waiting = triage.sallyport.start("triage", sha256("hanging"), "--json", env=triage.environment)
    waiting.wait_until(lambda: "service" in waiting.out, "it has asked")
    assert service.stop() == 0
    assert waiting.wait() == 1 and "triage.not_begun" in waiting.err, waiting.out
    # Without a service the command does it by itself, and the same once.
    assert triage.sallyport.run("triage", sha256(EICAR), env=triage.environment).status == 0
    assert len(triage.comments(old)) == 1


# covers: triage:command_beside
def test_one_sample_while_the_service_rests(triage: Triage) -> None:
    service = triage.start(VMRAY_RUNTIME_MODE="DOCKER", VMRAY_TIME_SPAN="3600")
    service.wait_until(lambda: "A run has ended" in service.err, "the first run has ended")
    alert = triage.alert(1, "alpha", created_timestamp="2020-01-01T00:00:00Z")
    triage.known("alpha", "suspicious")
    said = triage.sallyport.run("triage", sha256("alpha"), env=triage.environment)
    assert said.status == 0 and "suspicious" in said.out, said.err
    assert len(triage.comments(alert)) == 1
    triage.falcon.fault("status", 403, path="/alerts/combined/*", times=None)
    triage.falcon.fault("status", 403, path="/detects/*", times=None)
    refused = triage.sallyport.run("triage", sha256("beta"), "--json", env=triage.environment)
    assert refused.status == 1 and "triage.not_begun" in refused.err, refused.out
    assert service.stop() == 0


# covers: triage:check
def test_check_names_each_scope_with_what_needs_it(triage: Triage) -> None:
    settings = {"VMRAY_CONTAIN_HOST": "true", "VMRAY_CREATE_CASE": "true", "VMRAY_NEVER_CONTAIN": "x"}
    whole = triage.command("check", "--json", **settings)
    assert whole.status == 0, whole.out
    assert not triage.contained() and not triage.cases() and not triage.vmray.submissions()
    triage.falcon.scopes("alerts:read", "quarantine:read", "samplestore:read", "ioc:read", "ioc:write")
    poor = triage.command("check", "--json", **settings)
    assert poor.status == 4
    lacking = [line["text"] for line in poor.json_lines if line["verdict"] == "problem"]
    for scope, feature in (
            ("Alerts: Write", "comment_to_detection"), ("Quarantined Files: Write", "comment_to_quarantine"),
            ("Hosts: Write", "contain_host"), ("Host groups: Read", "never_contain"),
            ("Message Center: Write", "create_case")):
        assert any(scope in line and feature in line for line in lacking), lacking
    refused = triage.command("check", "--json", VMRAY_API_KEY="wrong")
    assert any("VMRAY_API_KEY" in line["text"] for line in refused.json_lines if line["verdict"] == "problem")


# covers: triage:check_quota
def test_check_says_what_may_be_submitted_and_what_can_not_be_known(triage: Triage) -> None:
    def line() -> tuple[str, str]:
        said = triage.command("check", "--json")
        assert said.status == 0, said.out
        [found] = [line for line in said.json_lines if "submissions" in line["text"]]
        return found["verdict"], found["text"]
    triage.vmray.settings(quota=5)
    assert line()[0] == "ok" and "0 of 5 submissions are used" in line()[1] and "no call tells" in line()[1]
    triage.vmray.settings(quota=0)
    assert line()[0] == "warning" and "Nothing can be submitted" in line()[1]
    triage.vmray.fault("status", 404, path="/rest/api_key/quota")
    assert line()[0] == "ok" and not triage.vmray.submissions()


# covers: triage:exit_codes
def test_a_single_run_says_how_it_went(triage: Triage) -> None:
    assert triage.run(VMRAY_API_KEY="wrong").process.returncode == 4
    assert triage.run(CROWDSTRIKE_CLIENT_SECRET="wrong").process.returncode == 4
    assert triage.run(VMRAY_CONTAIN_HOST="perhaps").process.returncode == 3
    assert triage.run().process.returncode == 0


# covers: triage:runtime_docker, triage:start_backoff
def test_the_continuous_mode_waits_for_both_sides_and_goes_on(triage: Triage) -> None:
    alert = triage.alert(1, "alpha")
    triage.known("alpha", "suspicious")
    triage.vmray.fault("status", 401, times=1, path="/rest/system_info")
    program = triage.start(VMRAY_RUNTIME_MODE="DOCKER", VMRAY_TIME_SPAN="1")
    program.wait_until(lambda: triage.comments(alert), "the alert is told")
    assert "vmray.unauthorized" in program.err
    second = triage.alert(2, "alpha", HOSTS[1])
    program.wait_until(lambda: triage.comments(second), "a later run tells the second")
    assert program.stop() == 0
    assert len(triage.comments(alert)) == 1


# covers: triage:drop_in_python, triage:log_file, triage:wipe
def test_the_original_s_folder_is_enough(triage: Triage) -> None:
    alert = triage.alert(1, "alpha")
    triage.known("alpha", "suspicious")
    folder: Path = triage.sallyport.folder / "original"
    (folder / "config").mkdir(parents=True)
    env = triage.environment
    (folder / "config/crowdstrike_conf.py").write_text(
        f'class CrowdStrikeConfig():\n    CLIENT_ID = "{env["CROWDSTRIKE_CLIENT_ID"]}"\n'
        f"    BASE_URL = '{env['CROWDSTRIKE_API_BASE_URL']}'\n    DOWNLOAD_DIR = pathlib.Path(\"downloads\")\n")
    (folder / "config/vmray_conf.py").write_text(
        f'class VMRayConfig:\n    API_KEY = "{env["VMRAY_API_KEY"]}"\n    URL = "{env["VMRAY_URL"]}"\n')
    (folder / "config/general_conf.py").write_text(
        "class GeneralConfig:\n    RUNTIME_MODE = RUNTIME_MODE.CLI\n    LOG_LEVEL = log.DEBUG\n")
    downloads = folder / "downloads"
    downloads.mkdir()
    for name in (sha256("left over"), sha256("left over") + ".zip", "mine.txt"):
        (downloads / name).write_text("x")
    kept = ("CROWDSTRIKE_CLIENT_SECRET", "SALLYPORT_STATE_DIR", "SALLYPORT_HTTP_LISTEN", "SALLYPORT_LOG_FORMAT")
    program = triage.sallyport.start("run", "vmray", env={name: env[name] for name in kept}, cwd=folder)
    assert program.wait() == 0, program.err
    assert len(triage.comments(alert)) == 1
    assert "A run has ended" in (folder / "cs-connector.log").read_text()
    assert "A run has ended" in program.err
    # What the original left there, decrypted malware perhaps, is gone.
    assert [path.name for path in downloads.iterdir()] == ["mine.txt"]


# covers: triage:cases, triage:other_hosts
def test_cases_and_other_hosts(triage: Triage) -> None:
    alert = triage.alert(1, "alpha")
    triage.known("alpha", "malicious")
    triage.falcon.post("sightings", {"type": "sha256", "value": sha256("alpha"), "devices": {host: [] for host in HOSTS[5:7]}})
    program = triage.run(VMRAY_CREATE_CASE="true", VMRAY_FIND_ANOTHER_HOST="true")
    assert program.process.returncode == 0, program.err
    assert triage.cases() == [f"VMRay verdict malicious for {sha256('alpha')}"]
    assert triage.comments(alert)[-1] == f"Also ran on 2 other host(s): {HOSTS[5]}, {HOSTS[6]}"
    assert not triage.contained()
    [case] = triage.acts("CreateCaseV2")
    assert case["body"]["user_uuid"] == USER and case["body"]["detections"][0]["id"] == alert


# covers: triage:legacy_api
def test_a_tenant_that_answers_detections_only(triage: Triage) -> None:
    triage.alert(1, "alpha")
    triage.known("alpha", "suspicious")
    triage.falcon.settings(serves_detections=True, refuses_alerts=True)
    program = triage.run()
    assert program.process.returncode == 0, program.err
    [act] = triage.acts("UpdateDetectsByIdsV2")
    assert "suspicious" in act["body"]["comment"] and act["body"]["status"] == "in_progress"
    assert triage.run(VMRAY_LEGACY_API="off").process.returncode == 1


# covers: triage:metrics, triage:health
def test_metrics_and_health(triage: Triage) -> None:
    import urllib.request
    triage.alert(1, "alpha")
    triage.known("alpha", "malicious")
    from support.network import free_port
    port = free_port()
    program = triage.start(
        VMRAY_RUNTIME_MODE="DOCKER", VMRAY_TIME_SPAN="3600", SALLYPORT_HTTP_LISTEN=f"127.0.0.1:{port}")

    def get(path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
            return str(answer.read().decode())
    program.wait_until(lambda: "A run has ended" in program.err, "the run's end")
    text = get("metrics")
    assert 'sallyport_triage_samples_total{flow="vmray",outcome="malicious"} 1' in text
    assert 'sallyport_triage_effects_total{flow="vmray",effect="alert_update",outcome="done"} 1' in text
    eventually(lambda: json.loads(get("health/ready")), "ready")
    assert program.stop() == 0
