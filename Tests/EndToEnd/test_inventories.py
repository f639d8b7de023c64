# SPDX-License-Identifier: Apache-2.0
"""Device and user assets with the real program, as Sekoia's platform starts it."""
from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from py_ocsf_models.objects.account import Account
from py_ocsf_models.objects.device import Device
from py_ocsf_models.objects.metadata import Metadata
from py_ocsf_models.objects.user import User
from pydantic import ValidationError

from support.contract import CASES
from support.flow import free_port
from support.program import Program, Sallyport
from support.sekoia import API_KEY, CONFIGURATION, SekoiaPlatform
from support.simulators import CLIENT_ID, CLIENT_SECRET, FalconSimulator

DEVICES = json.loads((CASES / "falcon-devices.json").read_text(encoding="utf-8"))
USERS = json.loads((CASES / "falcon-users.json").read_text(encoding="utf-8"))
EXPECTED = json.loads((CASES / "ocsf-expected.json").read_text(encoding="utf-8"))
DEVICE = "crowdstrike_falcon_device_asset_connector"
USER = "crowdstrike_falcon_user_asset_connector"


class Inventory:
    """One connector on one data path, started as often as a test likes."""

    def __init__(self, sallyport: Sallyport, falcon: FalconSimulator, platform: SekoiaPlatform, name: str) -> None:
        self.sallyport, self.falcon, self.platform, self.name = sallyport, falcon, platform, name
        self.data = sallyport.folder / "data"
        self.data.mkdir(exist_ok=True)
        self.configuration: dict[str, Any] = {
            "sekoia_api_key": API_KEY, "sekoia_base_url": platform.url, "frequency": 1, "batch_size": 5}

    def environment(self, **more: str) -> dict[str, str]:
        self.health = free_port()
        return {
            **self.platform.environment,
            "MODULE_CONFIGURATION": json.dumps({"client_id": CLIENT_ID, "base_url": self.falcon.url}),
            "CONNECTOR_CONFIGURATION": json.dumps(self.configuration),
            "CONNECTOR_CONFIGURATION_UUID": CONFIGURATION, "LIVENESS_PORT": str(self.health),
            "METRICS_PORT": str(free_port()), "SYMPHONY_DATA_PATH": str(self.data),
            "SALLYPORT_STATE_DIR": str(self.sallyport.folder / "state"),
            "SALLYPORT_HTTP_LISTEN": f"127.0.0.1:{free_port()}", **more}

    def start(self, **more: str) -> Program:
        return self.sallyport.start(self.name, env=self.environment(**more))

    def run_until(self, assets: int, **more: str) -> None:
        """Runs until so many assets have arrived and the checkpoint stands, and stops it."""
        program = self.start(**more)
        cycles = self.falcon.calls("QueryDevicesByFilter") + self.falcon.calls("post_graphql")
        program.wait_until(lambda: len(self.platform.assets) >= assets, f"{assets} assets are there")
        # A further look shows that the cycle before it has ended.
        program.wait_until(
            lambda: self.falcon.calls("QueryDevicesByFilter") + self.falcon.calls("post_graphql") > cycles + 1,
            "the next cycle begins")
        assert program.stop() == 0, program.err[-2000:]

    def context(self) -> dict[str, Any]:
        return json.loads((self.data / "context.json").read_text())


@pytest.fixture
def platform() -> Any:
    with SekoiaPlatform(CLIENT_SECRET) as platform:
        yield platform
        assert not platform.strangers


@pytest.fixture
def devices(sallyport: Sallyport, falcon: FalconSimulator, platform: SekoiaPlatform) -> Inventory:
    falcon.post("entities/hosts", DEVICES["devices"])
    falcon.post("entities/host_groups", DEVICES["host_groups"])
    return Inventory(sallyport, falcon, platform, DEVICE)


@pytest.fixture
def users(sallyport: Sallyport, falcon: FalconSimulator, platform: SekoiaPlatform) -> Inventory:
    falcon.post("entities/identities", USERS["entities"])
    falcon.post("entities/users", USERS["console_users"])
    return Inventory(sallyport, falcon, platform, USER)


def newest_first() -> list[str]:
    """Ids of the devices; one of them bears no date and comes last."""
    def seen(one: dict[str, Any]) -> str:
        return one["first_seen"] if one["first_seen"][0].isdigit() else ""
    return [one["device_id"] for one in sorted(DEVICES["devices"], key=seen, reverse=True)]


def by_uid(list_name: str) -> dict[str, Any]:
    cases = [case["expected"] for case in EXPECTED[list_name] if "skipped" not in case["expected"]]
    return {(case.get("device") or case["user"])["uid"]: case for case in cases}


def judge(list_name: str, assets: list[dict[str, Any]]) -> None:
    wanted = by_uid(list_name)
    found = {(asset.get("device") or asset["user"])["uid"]: asset for asset in assets}
    assert len(found) == len(assets), "an asset came twice"
    assert found == wanted


# covers: inv:map-devices, inv:docker-parameters, inv:e2e, inv:host-groups, inv:batch-size
def test_devices_arrive_as_expected(devices: Inventory) -> None:
    devices.run_until(11)
    judge("devices", devices.platform.assets)
    assert max(devices.platform.batches) == 5
    assert devices.context()["most_recent_device_id"] == newest_first()[0]


# covers: inv:checkpoint, inv:new
def test_each_device_is_sent_once_and_new_ones_follow(devices: Inventory) -> None:
    devices.run_until(11)
    sent = len(devices.platform.assets)
    devices.falcon.post("entities/hosts", [{
        **DEVICES["devices"][0], "device_id": "f" * 32, "hostname": "brand-new", "first_seen": "2026-11-01T00:00:00Z"}])
    devices.run_until(sent + 1)
    assert devices.platform.uids()[sent:] == ["f" * 32]
    assert devices.context()["most_recent_device_id"] == "f" * 32


# covers: inv:import, inv:quirk-4
def test_it_goes_on_where_the_original_stopped(devices: Inventory) -> None:
    ids = newest_first()
    (devices.data / "context.json").write_text(json.dumps({"most_recent_device_id": ids[2], "other": "kept"}))
    devices.run_until(1)
    assert set(devices.platform.uids()) <= set(ids[:2])
    assert devices.context() == {"most_recent_device_id": ids[0], "other": "kept"}


# covers: inv:gone
def test_a_checkpoint_device_that_is_gone_sends_nothing_again(devices: Inventory) -> None:
    devices.run_until(11)
    sent = len(devices.platform.assets)
    devices.falcon.post("entities/hosts", [{
        **DEVICES["devices"][0], "device_id": "e" * 32, "hostname": "newer", "first_seen": "2026-11-01T00:00:00Z"}])
    devices.run_until(sent + 1)
    devices.falcon.post("hosts/remove", {"ids": ["e" * 32]})
    devices.falcon.post("entities/hosts", [{
        **DEVICES["devices"][0], "device_id": "d" * 32, "hostname": "newest", "first_seen": "2026-11-02T00:00:00Z"}])
    devices.run_until(sent + 2)
    assert devices.platform.uids()[sent:] == ["e" * 32, "d" * 32]


# covers: key:asset_connector_batch_size, key:asset_connector_base_url, key:asset_connector_frequency
def test_the_variables_of_the_sdk_win_over_the_configuration(devices: Inventory) -> None:
    devices.configuration |= {"sekoia_base_url": None, "frequency": 86_400}
    devices.run_until(
        11, ASSET_CONNECTOR_BATCH_SIZE="3", ASSET_CONNECTOR_FREQUENCY="1",
        ASSET_CONNECTOR_PRODUCTION_BASE_URL=devices.platform.url)
    assert max(devices.platform.batches) == 3
    # A configured address wins over the variable.
    devices.configuration["sekoia_base_url"] = devices.platform.url
    devices.falcon.post("entities/hosts", [{
        **DEVICES["devices"][0], "device_id": "c" * 32, "hostname": "later", "first_seen": "2026-11-01T00:00:00Z"}])
    devices.run_until(12, ASSET_CONNECTOR_FREQUENCY="1", ASSET_CONNECTOR_PRODUCTION_BASE_URL="https://nowhere.invalid")


# covers: inv:explain
def test_explain_says_where_to_look(devices: Inventory) -> None:
    devices.run_until(11)
    done = devices.sallyport.run("explain", newest_first()[0], "--connector", DEVICE, env=devices.environment())
    assert done.status == 1 and "get_device_details" in done.out, (done.status, done.out, done.err)


# covers: inv:updates
def test_changes_are_sent_when_asked_for(devices: Inventory) -> None:
    devices.run_until(11, INVENTORY_SEND_UPDATES="true")
    sent = len(devices.platform.assets)
    devices.falcon.post("entities/hosts", [{
        **DEVICES["devices"][1], "os_version": "Windows 12", "modified_timestamp": "2027-01-01T00:00:00Z"}])
    devices.run_until(sent + 1, INVENTORY_SEND_UPDATES="true")
    [changed] = devices.platform.assets[sent:]
    assert changed["device"]["os"]["name"] == "Windows 12"


# covers: inv:gone-unmanaged (through the program)
def test_a_hidden_device_is_sent_as_no_longer_managed(devices: Inventory) -> None:
    devices.run_until(11, INVENTORY_SEND_UPDATES="true")
    sent = len(devices.platform.assets)
    hidden = DEVICES["devices"][0]["device_id"]
    hide = {"CROWDSTRIKE_CLIENT_ID": CLIENT_ID, "CROWDSTRIKE_CLIENT_SECRET": CLIENT_SECRET,
            "CROWDSTRIKE_BASE_URL": devices.falcon.url}
    done = devices.sallyport.run("action", "perform_host_action", "--ids", hidden, "--action-name", "hide_host", env=hide)
    assert done.status == 0, done.err
    devices.run_until(sent + 1, INVENTORY_SEND_UPDATES="true")
    [gone] = devices.platform.assets[sent:]
    assert gone["device"]["uid"] == hidden and gone["device"]["is_managed"] is False


# covers: inv:retry, inv:kill
def test_trouble_at_sekoia_and_a_kill_lose_nothing(devices: Inventory) -> None:
    devices.falcon.post("hosts/generate", {"count": 60})
    devices.platform.refuse = lambda number, items: (503, {}) if number % 3 == 0 else None
    first = devices.start()
    first.wait_until(lambda: len(devices.platform.assets) >= 15, "a part is there")
    first.kill()
    devices.platform.refuse = lambda number, items: None
    second = devices.start()
    second.wait_until(lambda: len(set(devices.platform.uids())) == 71, "all are there")
    assert second.stop() == 0
    repeats = len(devices.platform.assets) - 71
    assert repeats <= 60, f"{repeats} assets were repeated"


# covers: inv:refused
def test_a_refused_asset_alone_is_put_aside(devices: Inventory) -> None:
    bad = DEVICES["devices"][4]["device_id"]
    devices.platform.refuse = lambda number, items: (
        (400, {"code": "E1", "message": "bad asset"}) if any(one["device"]["uid"] == bad for one in items) else None)
    devices.run_until(10)
    assert bad not in devices.platform.uids() and len(devices.platform.uids()) == 10
    letters = devices.sallyport.run("dlq", "list", "--connector", DEVICE, "--json", env=devices.environment())
    assert "sekoia.refused" in letters.out, letters.err


# covers: inv:rate-limit
def test_a_429_is_waited_for_and_the_batch_sent_again(devices: Inventory) -> None:
    devices.platform.refuse = lambda number, items: (429, {}, {"Retry-After": "1"}) if number == 0 else None  # type: ignore[return-value]
    devices.run_until(11)
    judge("devices", devices.platform.assets)


# covers: inv:map-users, inv:source-identity
def test_directory_users_arrive_as_expected(users: Inventory) -> None:
    users.run_until(12)
    # The one without a creation time is sent in every cycle.
    assets = {asset["user"]["uid"]: asset for asset in users.platform.assets}
    assert assets == by_uid("users")
    assert users.context()["user_assets_last_seen_timestamp"] == max(
        one["creationTime"] for one in USERS["entities"] if one["creationTime"])
    assert "most_recent_user_id" not in users.context()


# covers: inv:source-auto, inv:map-console-users, inv:both-checkpoints
def test_without_the_scope_the_users_of_the_console_are_sent(users: Inventory) -> None:
    (users.data / "context.json").write_text(json.dumps({"user_assets_last_seen_timestamp": "2020-01-01T00:00:00Z"}))
    users.falcon.scopes("user-management:read")
    program = users.start()
    program.wait_until(lambda: len(users.platform.assets) >= 5, "the console's users are there")
    program.wait_until(lambda: "most_recent_user_id" in users.context(), "the checkpoint stands")
    assert program.stop() == 0
    judge("console_users", users.platform.assets)
    assert users.context()["user_assets_last_seen_timestamp"] == "2020-01-01T00:00:00Z", "the other key stays"
    assert program.err.count("Identity Protection") == 1, "said once"


def complaints(model: Any, value: dict[str, Any]) -> set[str]:
    try:
        model.model_validate(value)
        return set()
    except ValidationError as error:
        return {".".join(str(part) for part in one["loc"] if not isinstance(part, int)) for one in error.errors()}


# covers: ocsf:models, ocsf:strict
@pytest.mark.parametrize("strict", [False, True])
def test_the_ocsf_models_accept_what_is_sent(strict: bool, devices: Inventory, users: Inventory) -> None:
    devices.run_until(11, INVENTORY_OCSF_STRICT=str(strict).lower())
    users.sallyport.folder.joinpath("state").rename(users.sallyport.folder / "state-of-devices")
    users.run_until(23, INVENTORY_OCSF_STRICT=str(strict).lower())
    for asset in devices.platform.assets:
        assert complaints(Metadata, asset["metadata"]) <= (set() if strict else {"product.vendor_name"})
        if "device" in asset:
            # Recommended by the schema: where Falcon knows neither zone nor card, there is none to name.
            found = complaints(Device, asset["device"]) - {"network_interfaces.mac", "region"}
            assert found <= (set() if strict else {"network_interfaces.type_id", "network_interfaces.hostname"})
        else:
            assert complaints(User, asset["user"]) <= {"account"}
            if account := asset["user"].get("account"):
                assert not complaints(Account, account)


# covers: inv:health
def test_the_originals_health_and_secrets(devices: Inventory) -> None:
    import urllib.request
    program = devices.start()
    program.wait_until(lambda: devices.platform.assets, "assets arrive")
    with urllib.request.urlopen(f"http://127.0.0.1:{devices.health}/health", timeout=10) as answer:
        assert answer.status == 200 and "last_events_time" in json.loads(answer.read())
    assert program.stop() == 0
    assert API_KEY not in program.err and CLIENT_SECRET not in program.err


# covers: inv:check
def test_check_names_the_scopes(users: Inventory) -> None:
    users.falcon.scopes("user-management:read")
    environment = users.environment()
    with socket.create_server(("", users.health)):
        done = users.sallyport.run("check", "sekoia-user-assets", "--json", env=environment)
    assert "LIVENESS_PORT" not in done.err, "a look leaves the service's ports alone"
    verdicts = {line["text"].split("”")[0].split("“")[-1]: line["verdict"] for line in done.json_lines
                if line["subject"] == "falcon.scope"}
    assert verdicts == {
        "Identity Protection Entities: Read": "warning", "Identity Protection GraphQL: Write": "warning",
        "User management: Read": "ok"}


# covers: inv:plan
def test_plan_sends_nothing(devices: Inventory) -> None:
    done = devices.sallyport.run("plan", "sekoia-device-assets", env=devices.environment())
    assert done.status == 0, done.err
    assert "brand" not in done.out and "ip-10-20-4-17" in done.out
    assert devices.platform.assets == [] and not (devices.data / "context.json").exists()
