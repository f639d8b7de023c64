# SPDX-License-Identifier: Apache-2.0
"""The shared cases against the release binary: events in at one end, the tenant judged at the other."""
from __future__ import annotations

import pytest

from support.cases import CASES, Case
from support.flow import Flow
from support.simulators import CLIENT_ID, FalconSimulator, OpenCTISimulator
from support.tenant import problems


# covers: vectors:expected, guard:off
# covers: event:create (oc-001), event:update (oc-041), event:delete-permanent (oc-047), event:delete-soft (oc-044),
#         event:merge (oc-053), event:other-type (oc-012), event:other-pattern (oc-010), event:bad-json (oc-052)
# covers: field:type-domain (oc-001), field:type-hostname (oc-002), field:type-ipv4 (oc-003), field:type-ipv6 (oc-004),
#         field:type-sha256 (oc-005), field:type-md5 (oc-006), field:type-none (oc-007), field:action (oc-033),
#         field:severity (oc-013), field:platforms (oc-023), field:description (oc-032), field:expiration (oc-117),
#         field:tags (oc-032), field:source (oc-001), field:applied-globally (oc-001)
# covers: call:create-new (oc-001), call:create-unsupported (oc-007), call:create-found-soft (oc-038),
#         call:create-found-permanent (oc-039), call:create-search-failed (oc-122), call:update-found (oc-041),
#         call:update-unsupported (oc-116), call:update-missing (oc-043), call:delete-soft-found (oc-044),
#         call:delete-permanent-found (oc-047), call:delete-missing (oc-046), call:refused (oc-051)
# covers: v1:all-comparisons (oc-101), v1:no-kill (oc-052), stream:event-name (oc-140), stream:unknown-event (oc-053)
# covers: pattern:edited (oc-103), pattern:id-change (oc-118), pattern:and (oc-102), pattern:negated (oc-106),
#         pattern:in (oc-105), pattern:mixed (oc-102)
# covers: bug:1 (oc-101), bug:2 (oc-103), bug:3 (oc-113), bug:4 (oc-109), bug:5 (oc-121), bug:6 (oc-122), bug:7 (oc-043),
#         bug:8 (oc-118), bug:9 (oc-128), bug:10 (oc-119), bug:11 (oc-037), bug:12 (oc-030), bug:13 (oc-136), bug:14 (oc-055),
#         bug:15 (oc-131), bug:16 (oc-137), bug:18 (oc-112), bug:19 (oc-133), bug:20 (oc-050)
# covers: better:fold (oc-139), better:upsert (oc-043), value:domain (oc-114), value:ipv6 (oc-115), value:hash (oc-113),
#         value:ipv4 (oc-108), value:invalid (oc-109)
# covers: removal:delete (oc-047), removal:revoked (oc-129), removal:left (oc-118), removal:foreign (oc-132),
#         removal:past-expiration (oc-128), reference:count (oc-137), reference:never-seen (oc-047)
# covers: key:CROWDSTRIKE_PERMANENT_DELETE (oc-047), key:CROWDSTRIKE_FALCON_FOR_MOBILE_ACTIVE (oc-026),
#         key:CROWDSTRIKE_ACTION_ON_IP (oc-033), key:CROWDSTRIKE_ACTION_ON_DOMAIN (oc-034),
#         key:CROWDSTRIKE_ACTION_ON_HASH (oc-035), key:CROWDSTRIKE_SOFT_DELETE_ACTION (oc-131),
#         key:CROWDSTRIKE_ADOPT (oc-132), key:CROWDSTRIKE_OWNED_CLIENT_IDS (oc-133)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_tenant_changes_as_expected(
    case: Case, flow: Flow, opencti: OpenCTISimulator, falcon: FalconSimulator,
) -> None:
    opencti.load(case.events)
    falcon.settings(allows_mobile=True)
    falcon.load(case.existing)
    before = falcon.iocs()
    falcon.script(case.script)

    program = flow.start(SALLYPORT_GUARDRAILS="off", **case.settings)
    flow.wait_until_idle(program, len(case.events))
    assert program.stop() == 0, program.err[-4000:]

    after = falcon.iocs()
    verdicts = [problems(effects, before, after, CLIENT_ID) for effects in (case.effects, *case.also)]
    assert [] in verdicts, f"{case.title}: {verdicts[0]}"
