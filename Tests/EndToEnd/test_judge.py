# SPDX-License-Identifier: Apache-2.0
"""The judge of a tenant agrees with the shared cases: what they expect passes, anything more or less does not."""
from __future__ import annotations

import copy
from typing import Any

import pytest

from support.cases import CASES, Case
from support.tenant import problems

CLIENT = "ed578da6b8d84d1e9312e833e493773a"


def applied(case: Case) -> list[dict[str, Any]]:
    """The tenant as it stands when the expected effects have happened."""
    table = {ioc["id"]: copy.deepcopy(ioc) for ioc in case.existing}
    for number, effect in enumerate(case.effects):
        match effect["op"]:
            case "create":
                table[f"new-{number}"] = {"id": f"new-{number}", "created_by": CLIENT, **effect["indicator"]}
            case "update":
                table[effect["id"]].update(effect["indicator"])
            case "delete":
                for identity in effect["ids"]:
                    del table[identity]
    return list(table.values())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_is_expected_passes(case: Case) -> None:
    assert problems(case.effects, case.existing, applied(case), CLIENT) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_an_ioc_too_many_does_not(case: Case) -> None:
    extra = {"id": "extra", "type": "domain", "value": "extra.example", "created_by": CLIENT}
    assert problems(case.effects, case.existing, [*applied(case), extra], CLIENT)


WITH_WRITES = [case for case in CASES if any(effect["op"] != "none" for effect in case.effects)]


@pytest.mark.parametrize("case", WITH_WRITES, ids=lambda case: case.id)
def test_nothing_done_does_not(case: Case) -> None:
    assert problems(case.effects, case.existing, case.existing, CLIENT)
