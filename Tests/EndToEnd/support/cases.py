# SPDX-License-Identifier: Apache-2.0
"""The shared cases: events in, the change of a tenant out."""
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from support.contract import CASES as FOLDER


@dataclass(frozen=True)
class Case:
    id: str
    title: str
    settings: dict[str, str]
    events: list[dict[str, Any]]
    existing: list[dict[str, Any]]
    script: list[dict[str, Any]]
    effects: list[dict[str, Any]]
    also: list[list[dict[str, Any]]]


def variable(value: Any) -> str:
    """A setting of a case as the text of an environment variable."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return ",".join(value)
        case _:
            return str(value)


def _case(raw: dict[str, Any]) -> Case:
    return Case(
        id=raw["id"], title=raw["title"], events=raw["events"],
        settings={f"CROWDSTRIKE_{key.upper()}": variable(value) for key, value in raw["config"].items()},
        existing=raw.get("falcon_existing", []), script=raw.get("falcon_script", []),
        effects=raw["expected"]["effects"], also=raw["expected"].get("accept_also", []))


CASES = [
    _case(raw)
    for raw in json.loads((FOLDER / "opencti-crowdstrike-vectors.json").read_text(encoding="utf-8"))["vectors"]
]
