# SPDX-License-Identifier: Apache-2.0
"""The shared cases against the release binary: events in at one end, the tenant judged at the other."""
from __future__ import annotations

import pytest

from support.cases import CASES, Case
from support.flow import Flow
from support.simulators import CLIENT_ID, FalconSimulator, OpenCTISimulator
from support.tenant import problems


# covers: vectors:expected, guard:off
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_tenant_changes_as_expected(
    case: Case, flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    opencti.load(case.events)
    falcon.load(case.existing)
    before = falcon.iocs()
    falcon.script(case.script)

    program = flow.start(SALLYPORT_GUARDRAILS="off", **case.settings)
    flow.wait_until_idle(program, len(case.events))
    assert program.stop() == 0, program.err[-4000:]

    after = falcon.iocs()
    verdicts = [problems(effects, before, after, CLIENT_ID) for effects in (case.effects, *case.also)]
    assert [] in verdicts, f"{case.title}: {verdicts[0]}"
