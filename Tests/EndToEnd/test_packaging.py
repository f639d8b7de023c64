# SPDX-License-Identifier: Apache-2.0
"""What packaging/ holds is what the program offers: rules and dashboard ask for metrics that exist, units and images start it."""
from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from support.program import Sallyport

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
SERIES = re.compile(r"\b((?:sallyport|process)_[a-z_]+)")


def asked_for() -> set[str]:
    """Every series that the rules and the dashboard query."""
    rules = yaml.safe_load((PACKAGING / "prometheus/sallyport-alerts.yaml").read_text())
    queries = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    dashboard = json.loads((PACKAGING / "grafana/sallyport.json").read_text())
    queries += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += [variable["query"] for variable in dashboard["templating"]["list"]]
    return {name.removesuffix("_bucket") for query in queries for name in SERIES.findall(query)}


def test_promtool_accepts_the_alert_rules() -> None:
    subprocess.run(["promtool", "check", "rules", str(PACKAGING / "prometheus/sallyport-alerts.yaml")], check=True)


def test_every_metric_asked_for_exists() -> None:
    declared = re.findall(r"^\| `(\w+)`", (ROOT / "docs/reference/metrics.md").read_text(), re.MULTILINE)
    assert len(declared) > 10 and asked_for() - set(declared) == set()


@pytest.mark.parametrize("line", [
    line for line in (PACKAGING / "systemd/sallyport.service").read_text().splitlines() if line.startswith("Exec")
])
def test_the_unit_starts_commands_that_exist(line: str, sallyport: Sallyport) -> None:
    command = line.split("=", 1)[1].split()
    if command[0].endswith("sallyport"):
        assert sallyport.run(command[1], "--help").status == 0


def test_the_debian_package_holds_a_program_that_starts(binary: Path, tmp_path: Path) -> None:
    made = subprocess.run(
        [str(PACKAGING / "debian/build"), str(tmp_path)], check=True, capture_output=True, text=True).stdout.strip()
    root = tmp_path / "root"
    subprocess.run(["dpkg-deb", "--extract", made, str(root)], check=True)
    version = subprocess.run([str(root / "usr/bin/sallyport"), "version"], check=True, capture_output=True, text=True)
    assert version.stdout.startswith("sallyport ")
    depends = subprocess.run(["dpkg-deb", "--field", made, "Depends"], check=True, capture_output=True, text=True).stdout
    image = (PACKAGING / "container/Containerfile").read_text()
    assert {name for name in depends.strip().split(", ") if name not in ("libc6", "libgcc-s1")} <= set(image.split())


def test_every_image_of_the_examples_can_be_built_and_starts_its_job(sallyport: Sallyport) -> None:
    stages = re.split(r"^FROM ", (PACKAGING / "container/Containerfile").read_text(), flags=re.MULTILINE)
    commands = {
        name.group(1): json.loads(command.group(1))
        for stage in stages
        if (name := re.match(r"\S+ AS (\S+)", stage)) and (command := re.search(r"^CMD (.+)$", stage, re.MULTILINE))
    }
    asked: set[str] = set()
    for file in (ROOT / "examples").glob("*/compose-*.yaml"):
        for service in yaml.safe_load(file.read_text())["services"].values():
            name, _, version = service["image"].removeprefix("sallyport/").partition(":")
            if not service["image"].startswith("sallyport/"):
                continue
            assert f"sallyport {version}" in sallyport.run("version").out, file
            asked.add(name)
    assert len(asked) >= 7 and asked <= commands.keys()
    for name in asked:
        assert sallyport.run(*commands[name], "--help").status == 0, name
