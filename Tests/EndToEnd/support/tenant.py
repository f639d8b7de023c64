# SPDX-License-Identifier: Apache-2.0
"""How the shared cases say that two states of a tenant are to be compared (`about.compare` of the case file)."""
from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

IOC = dict[str, Any]
UNSET_UNLESS_LISTED = ("description", "expiration", "tags", "severity")
NEVER_JUDGED = {"metadata", "comment"}


def instant(text: str) -> int:
    """An RFC 3339 time as whole seconds."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(moment.astimezone(timezone.utc).timestamp())


def is_unset(value: Any) -> bool:
    return value is None or value == "" or value == []


def same(field: str, wanted: Any, found: Any) -> bool:
    if is_unset(wanted) or is_unset(found):
        return is_unset(wanted) and is_unset(found)
    if field == "expiration":
        return instant(wanted) == instant(found)
    if field in ("platforms", "tags"):
        return set(wanted) == set(found)
    return bool(wanted == found)


def mismatches(wanted: IOC, found: IOC) -> list[str]:
    return [
        f"{field}: wanted {value!r}, found {found.get(field)!r}" for field, value in wanted.items()
        if field not in NEVER_JUDGED and not same(field, value, found.get(field))
    ]


def live(table: Iterable[IOC]) -> dict[str, IOC]:
    return {ioc["id"]: ioc for ioc in table if not ioc.get("deleted")}


def judged(ioc: IOC) -> IOC:
    """What a write would change, without the bookkeeping of the vendor."""
    return {field: value for field, value in ioc.items() if field not in ("modified_on", "modified_by")}


def problems(effects: list[dict[str, Any]], before: Iterable[IOC], after: Iterable[IOC], client_id: str) -> list[str]:
    """Why the change of the tenant is not the one that these effects describe; empty when it is."""
    old, new = live(before), live(after)
    made = {identity: ioc for identity, ioc in new.items() if identity not in old}
    gone = set(old) - set(new)
    changed = {identity for identity in set(old) & set(new) if judged(old[identity]) != judged(new[identity])}
    found: list[str] = []
    for effect in effects:
        match effect["op"]:
            case "create":
                wanted = effect["indicator"]
                key = (wanted["type"], wanted["value"])
                matching = [ioc for ioc in made.values() if (ioc["type"], ioc["value"]) == key]
                if len(matching) != 1:
                    found.append(f"create {key}: {len(matching)} such new IOCs")
                    continue
                [ioc] = matching
                del made[ioc["id"]]
                if ioc["created_by"] != client_id:
                    found.append(f"create {key}: by {ioc['created_by']}")
                found += [f"create {key}: {line}" for line in mismatches(wanted, ioc)]
                found += [
                    f"create {key}: {field} must be unset, is {ioc[field]!r}" for field in UNSET_UNLESS_LISTED
                    if field not in wanted and not is_unset(ioc.get(field))
                ]
            case "update":
                identity = effect["id"]
                changed.discard(identity)
                if identity not in new:
                    found.append(f"update {identity}: gone")
                else:
                    found += [f"update {identity}: {line}" for line in mismatches(effect["indicator"], new[identity])]
            case "delete":
                ids = set(effect["ids"])
                found += [f"delete {identity}: still there" for identity in ids - gone]
                gone -= ids
            case "none":
                pass
            case unknown:
                found.append(f"unknown effect {unknown}")
    found += [f"created beyond what is expected: {ioc['type']} {ioc['value']}" for ioc in made.values()]
    found += [f"changed beyond what is expected: {old[identity]} to {new[identity]}" for identity in changed]
    found += [f"removed beyond what is expected: {identity}" for identity in gone]
    return found
