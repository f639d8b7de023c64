# SPDX-License-Identifier: Apache-2.0
"""CrowdSec enrichment over a real RabbitMQ: the shared cases again, split into one message an object."""
from __future__ import annotations

import pytest

from support.crowdsec import Enrichment
from support.crowdsec_play import CASES, play
from support.enrichment_cases import EnrichmentCase
from support.program import Sallyport
from support.simulators import CrowdSecSimulator, OpenCTISimulator


@pytest.fixture
def enrichment(sallyport: Sallyport, bus_server: OpenCTISimulator, crowdsec: CrowdSecSimulator) -> Enrichment:
    bus_server.reset()
    return Enrichment(sallyport, bus_server, crowdsec, over_bus=True)


# covers: crowdsec:rule_amqp
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_bus_carries_what_the_case_expects(case: EnrichmentCase, enrichment: Enrichment) -> None:
    play(case, enrichment)
