# SPDX-License-Identifier: Apache-2.0
"""The shared cases of CrowdSec: an answer of the service in, a bundle and writes to the platform out."""
from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from support.contract import CASES as FOLDER

ANSWERS: dict[str, list[dict[str, Any]]] = json.loads((FOLDER / "crowdsec-smoke.json").read_text())["answers"]


@dataclass(frozen=True)
class EnrichmentCase:
    name: str
    env: dict[str, str]
    entity: dict[str, Any]
    stix: dict[str, Any]
    platform: dict[str, Any]
    answers: list[dict[str, Any]]
    expected: dict[str, Any]

    @property
    def address(self) -> str:
        return self.entity["value"]

    @property
    def settings(self) -> dict[str, str]:
        return {name: value for name, value in self.env.items() if name != "CROWDSEC_KEY"}


def cases() -> list[EnrichmentCase]:
    raw = json.loads((FOLDER / "crowdsec-expected-stix.json").read_text())["cases"]
    return [
        EnrichmentCase(
            name=case["name"], env=case["env"], entity=case["input"]["enrichment_entity"],
            stix=case["input"]["stix_entity"], platform=case["input"]["platform_state"],
            answers=ANSWERS[case["cti_answer"]],
            expected=case["original"] if case["sallyport"] == "same" else case["sallyport"])
        for case in raw]


def instant(text: str) -> str | None:
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError:
        return None


def comparable(object: dict[str, Any]) -> dict[str, Any]:
    """As the cases' own rules have it: placeholders out, times as instants, lists as sets."""
    result = {}
    for key, value in object.items():
        if key in ("created", "modified") or (key == "revoked" and value is False):
            continue
        if isinstance(value, list):
            value = sorted(value, key=lambda item: json.dumps(item, sort_keys=True))
        elif isinstance(value, str) and key.startswith(("valid_", "first_", "last_")):
            value = instant(value) or value
        result[key] = value
    return result


def differences(ours: list[dict[str, Any]], wanted: list[dict[str, Any]], *, ignoring: set[str] = frozenset()) -> list[str]:
    """By id, each once. `ignoring` names types whose ids depend on the clock: they are compared without id."""
    def table(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        named = {}
        for object in objects:
            key = object["type"] if object["type"] in ignoring else object["id"]
            shown = comparable(object)
            if object["type"] in ignoring:
                shown.pop("id")
            assert key not in named, f"{key} stands there twice"
            named[key] = shown
        return named
    found, meant = table(ours), table(wanted)
    lines = [f"missing: {key}" for key in meant.keys() - found.keys()]
    lines += [f"too many: {key}" for key in found.keys() - meant.keys()]
    lines += [f"{key}: {found[key]} instead of {meant[key]}" for key in found.keys() & meant.keys() if found[key] != meant[key]]
    return lines
