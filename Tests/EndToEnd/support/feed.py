# SPDX-License-Identifier: Apache-2.0
"""Indicators as OpenCTI sends them, and the table of IOCs that must follow from them.

The table is computed here, from the wish that made the indicator, and shares nothing with the program under test.
"""
from __future__ import annotations

import copy
import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

OCTI = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"
MITRE = "extension-definition--322b8f77-262a-4cb8-a915-1e441e00329b"
NAMESPACE = uuid.UUID("6c0a4f1e-9d0e-4a53-9f0b-6a3d1b2c7e55")
FIRST_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z

PATHS = {
    "domain": "domain-name:value", "ipv4": "ipv4-addr:value", "ipv6": "ipv6-addr:value",
    "sha256": "file:hashes.'SHA-256'", "md5": "file:hashes.'MD5'",
}


def value_of(kind: str, number: int) -> str:
    """A distinct, plain value of one kind, which no guardrail refuses."""
    match kind:
        case "domain":
            return f"host{number}.feed.example"
        case "ipv4":
            return f"{45 + number // 15_625_000}.{number // 62_500 % 250 + 1}.{number // 250 % 250 + 1}.{number % 250 + 1}"
        case "ipv6":
            return f"2606:4700:{number // 65_536 + 1:x}::{number % 65_536 + 1:x}"
        case "sha256":
            return hashlib.sha256(str(number).encode()).hexdigest()
        case "md5":
            return hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()
    raise ValueError(kind)


def severity_of(score: int) -> str:
    return ("informational", "low", "medium", "high", "critical")[min(max(score, 0) // 20, 4)]


@dataclass
class Indicator:
    """One indicator with one value."""

    number: int
    kind: str = "domain"
    score: int = 50
    labels: list[str] = field(default_factory=list)
    description: str | None = None
    pattern: str | None = None
    pattern_type: str = "stix"
    valid_until: str | None = "2030-01-01T00:00:00.000Z"
    revoked: bool = False

    @property
    def value(self) -> str:
        return value_of(self.kind, self.number)

    @property
    def key(self) -> tuple[str, str]:
        return (self.kind, self.value)

    @property
    def internal_id(self) -> str:
        return str(uuid.uuid5(NAMESPACE, f"{self.kind}/{self.number}"))

    def stix(self) -> dict[str, Any]:
        pattern = self.pattern if self.pattern is not None else f"[{PATHS[self.kind]} = '{self.value}']"
        return {
            "id": f"indicator--{uuid.uuid5(NAMESPACE, pattern)}", "type": "indicator", "spec_version": "2.1",
            "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z",
            "revoked": self.revoked, "confidence": 80, "lang": "en", "name": self.value,
            "pattern": pattern, "pattern_type": self.pattern_type, "pattern_version": "2.1",
            "valid_from": "2026-01-01T00:00:00.000Z",
            **({"valid_until": self.valid_until} if self.valid_until else {}),
            **({"labels": self.labels} if self.labels else {}),
            **({"description": self.description} if self.description else {}),
            "extensions": {
                OCTI: {
                    "extension_type": "property-extension", "id": self.internal_id, "type": "Indicator",
                    "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z",
                    "is_inferred": False, "detection": True, "score": self.score,
                },
                MITRE: {"extension_type": "property-extension"},
            },
        }

    def ioc(self) -> dict[str, Any]:
        """The fields that its IOC must have."""
        return {
            "type": self.kind, "value": self.value, "action": "detect", "severity": severity_of(self.score),
            "tags": sorted(self.labels), "source": "OpenCTI IOC",
        }


class Feed:
    """A sequence of events with rising ids, and the table that stands when all have arrived."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.table: dict[tuple[str, str], dict[str, Any]] = {}
        self.clock = FIRST_MS

    def _append(self, name: str, stix: dict[str, Any], **envelope: Any) -> str:
        self.clock += 1
        event_id = f"{self.clock}-0"
        now = datetime.fromtimestamp(self.clock / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if isinstance(extension := stix.get("extensions", {}).get(OCTI), dict):
            stix["modified"] = extension["updated_at"] = now
        data = {
            "version": "4", "type": name, "scope": "external", "message": f"{name}s an Indicator",
            "origin": {"referer": "test"}, "data": stix, **envelope,
        }
        self.events.append({"id": event_id, "event": name, "data": data})
        return event_id

    def create(self, indicator: Indicator) -> str:
        self.table[indicator.key] = indicator.ioc()
        return self._append("create", indicator.stix())

    def update(self, indicator: Indicator) -> str:
        self.table[indicator.key] = indicator.ioc()
        return self._append("update", indicator.stix())

    def delete(self, indicator: Indicator, permanent: bool) -> str:
        if permanent:
            self.table.pop(indicator.key, None)
        elif indicator.key in self.table:
            self.table[indicator.key] = {**indicator.ioc(), "tags": sorted({*indicator.labels, "TO_DELETE"})}
        return self._append("delete", indicator.stix())

    def noise(self, number: int) -> str:
        """An object that is no indicator, as dependencies are."""
        return self._append("create", {
            "id": f"identity--{uuid.uuid5(NAMESPACE, f'identity/{number}')}", "type": "identity", "spec_version": "2.1",
            "name": f"Author {number}", "identity_class": "organization",
        })

    def raw(self, text: str, name: str = "create") -> str:
        """A frame whose data is no JSON at all."""
        self.clock += 1
        self.events.append({"id": f"{self.clock}-0", "event": name, "raw": text})
        return f"{self.clock}-0"

    def share_ids(self) -> None:
        """Dependencies come before their object under its id, as the platform sends them."""
        for event, following in zip(self.events, self.events[1:]):
            if event["data"]["data"]["type"] != "indicator":
                event["id"] = following["id"]

    @property
    def last_id(self) -> str:
        return self.events[-1]["id"]


def varied(count: int, permanent: bool = True, deletes: bool = True) -> Feed:
    """Creates of all kinds, updates of every third, deletes of every seventh, dependencies in between."""
    feed = Feed()
    kinds = list(PATHS)
    indicators = [
        Indicator(number, kinds[number % len(kinds)], score=number * 7 % 101, labels=[f"feed-{number % 5}"])
        for number in range(count)
    ]
    for indicator in indicators:
        if indicator.number % 10 == 0:
            feed.noise(indicator.number)
        feed.create(indicator)
    for indicator in indicators[::3]:
        changed = copy.copy(indicator)
        changed.score = (indicator.score + 40) % 101
        changed.labels = [*indicator.labels, "again"]
        feed.update(changed)
    for indicator in indicators[::7] if deletes else []:
        feed.delete(indicator, permanent)
    return feed
