# SPDX-License-Identifier: Apache-2.0
"""The files under examples/ are what the README promises: they parse, and the switch is one line."""
from __future__ import annotations

import difflib
from pathlib import Path

import pytest
import yaml

from support.program import Sallyport

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SECRETS = {
    "OPENCTI_TOKEN": "example-token", "CROWDSTRIKE_CLIENT_ID": "e" * 32, "CROWDSTRIKE_CLIENT_SECRET": "s" * 40,
    "SEKOIA_API_KEY": "example-key",
    "SEKOIA_INTAKE_KEY": "k" * 24,
    "CONNECTOR_CONFIGURATION":
        '{"intake_key":"kkkkkkkk","sekoia_api_key":"kkkkkkkk","sekoia_base_url":null,"frequency":3600,"batch_size":100}',
    "MODULE_CONFIGURATION": '{"client_id":"' + "e" * 32 + '","client_secret":"s","base_url":"https://api.eu-1.crowdstrike.com"}',
    "VMRAY_API_KEY": "example-key", "CROWDSEC_KEY": "example-key", "HARFANGLAB_TOKEN": "example-token",
    "HARFANGLAB_INTEL_TOKEN": "example-token", "HARFANGLAB_INCIDENTS_TOKEN": "example-token"}
# Folders below `examples`, each named as the connector whose compose files it has.
CONNECTORS = ["opencti-crowdstrike", "crowdsec", "sekoia-event-stream", "sekoia-device-assets", "harfanglab",
              "harfanglab-intel", "harfanglab-incidents", "vmray"]


def service(connector: str, name: str) -> dict:
    [found] = yaml.safe_load((EXAMPLES / connector / name).read_text())["services"].values()
    return found


def environment(connector: str, name: str, folder: Path) -> dict[str, str]:
    """The service's environment as a container would see it, secrets filled in."""
    pairs = dict(line.split("=", 1) for line in service(connector, name)["environment"])
    for key, value in pairs.items():
        if value.startswith("${"):
            pairs[key] = SECRETS[value[2:-1]]
        if key.endswith("_FILE"):
            secret = folder / Path(value).name
            secret.write_text(SECRETS[key.removesuffix("_FILE")])
            pairs[key] = str(secret)
    return pairs


@pytest.mark.parametrize("connector", CONNECTORS)
def test_the_switch_changes_the_image_line_only(connector: str) -> None:
    before, after = ((EXAMPLES / connector / name).read_text().splitlines()[1:]
                     for name in ("compose-before.yaml", "compose-after.yaml"))
    changed = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    assert [line[:2] + line[2:].split(":")[0].strip() for line in changed] == ["- image", "+ image"]


@pytest.mark.parametrize("name", ["compose-before.yaml", "compose-after.yaml", "compose-recommended.yaml"])
@pytest.mark.parametrize("connector", CONNECTORS)
def test_the_environment_of_each_compose_file_is_accepted(
    connector: str, name: str, sallyport: Sallyport, tmp_path: Path,
) -> None:
    done = sallyport.run("check", connector, "--offline", env=environment(connector, name, tmp_path))
    assert done.status == 0, done.err


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_each_configuration_file_is_accepted(path: Path, sallyport: Sallyport, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRETS["CROWDSTRIKE_CLIENT_SECRET"])
    copy = tmp_path / path.name
    copy.write_text(path.read_text().replace("/run/secrets/crowdstrike_client_secret", str(secret)))
    done = sallyport.run("check", "--config", str(copy), "--offline", env=SECRETS)
    assert done.status == 0, done.err
