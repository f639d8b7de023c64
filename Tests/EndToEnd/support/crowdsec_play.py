# SPDX-License-Identifier: Apache-2.0
"""Plays a shared case against the connector, over whichever way it listens and sends."""
from __future__ import annotations

import json
from typing import Any

from support.crowdsec import CAPABILITIES, Enrichment
from support.enrichment_cases import EnrichmentCase, cases, differences

# Back-off is shown by the unit tests on a clock of their own; a wrong version of the API by test_crowdsec_command.
CASES = [case for case in cases() if not case.expected["sleeps_s"] and not case.name.startswith("api-version")]


def is_clocked(case: EnrichmentCase) -> bool:
    return case.name.startswith("no-dates")


def play(case: EnrichmentCase, enrichment: Enrichment) -> None:
    """Asks for the case's address as the platform would; what comes of it must be what the case expects."""
    expected = case.expected
    enrichment.settings = case.settings
    enrichment.crowdsec.prepare(case.address, case.answers)
    if case.platform["label_creation_denied"]:
        enrichment.opencti.settings(capabilities=[name for name in CAPABILITIES if name != "SETTINGS_SETLABELS"])
    if case.platform["crowdsec_organization_exists"]:
        name = case.settings.get("CROWDSEC_NAME", "CrowdSec")
        enrichment.opencti.graphql(
            "mutation O($input: OrganizationAddInput!) { organizationAdd(input: $input) { id } }",
            {"input": {"name": name, "description": "there before"}})
    known = list(case.platform["existing_labels"])
    if known:
        enrichment.add("192.0.2.254", labels=known)
    description = case.platform["observable_description"]
    is_too_soon = case.name.endswith("/too-soon")
    if is_too_soon:
        description = None
    program = enrichment.start()
    identity = enrichment.add(
        case.address, **({"description": description} if description else {}),
        # A level that nobody knows is another one here.
        markings=[
            marking["definition"].replace("PURPLE", "PINK") for marking in case.entity["objectMarking"]
            if marking["definition_type"] == "TLP"])
    if is_too_soon:
        # The stamp of the case is of its own frozen clock: one of now has the same effect.
        enrichment.ended(program, enrichment.ask(identity)[0])
    before = len(enrichment.bundles())
    requests = enrichment.crowdsec.usage()["requests"]
    stix = {key: value for key, value in case.stix.items() if key != "x_opencti_description"}
    work = enrichment.ended(program, enrichment.ask(identity, event={"stix_entity": json.dumps(stix)})[0])
    result = expected["result"]
    if "message" in result:
        assert not work["errors"] and said(work).split("operation ", 1)[1].startswith(result["message"])
    elif case.name.startswith("forbidden"):
        assert "status 403" in work["errors"][0]["message"]
    else:
        assert work["errors"][0]["message"] == result["error"]
    assert enrichment.crowdsec.usage()["requests"] - requests == len(expected["http"])
    made = enrichment.bundles()[before:]
    if expected.get("bundle") is None:
        assert made == []
        return
    wanted = expected["bundle"]["objects"]
    if enrichment.over_bus:
        # One message an object, dependencies first; the splitter writes down how many each has.
        assert [len(objects) for objects in made] == [1] * len(wanted)
        objects = [object for [object] in made]
        for object in objects:
            assert object.pop("nb_deps") >= 1
        objects.sort(key=lambda object: object["id"] != wanted[0]["id"])
    else:
        [objects] = made
    assert objects[0]["id"] == wanted[0]["id"]
    # The stamp is of now, and so is the id of a note.
    for object in [objects[0], wanted[0]]:
        if "x_opencti_description" in object:
            object["x_opencti_description"] = object["x_opencti_description"].split("`Last CrowdSec")[0]
        # How the platform names itself inside.
        for key in ("x_opencti_id", "x_opencti_type"):
            object.pop(key, None)
    if is_clocked(case):
        for object in objects + wanted:
            object.pop("valid_from", None)
    found = differences(objects, wanted, ignoring={"note"})
    assert not found, "\n".join(found)
    knowledge = enrichment.knowledge()
    created = {(label["value"], label["color"]) for label in knowledge["labels"] if label["value"] not in known}
    if case.platform["label_creation_denied"]:
        assert not created
    else:
        assert created == {(label["value"].lower(), label["color"]) for label in expected["labels_created"]}
        assert len(enrichment.entity(case.address)["labels"]) == expected["labels_attached_count"]
    present = {reference["url"] for reference in case.stix.get("external_references", [])}
    assert {reference["url"] for reference in knowledge["references"]} | present == {
        reference["url"] for reference in expected["external_references_created"]} | present
    made_organizations = [
        {"name": one["name"], "description": one["description"]} for one in knowledge["organizations"]
        if one["description"] != "there before"]
    assert made_organizations == expected["organizations_created"]


def said(work: dict[str, Any]) -> str:
    return " ".join(entry["message"] for entry in work["messages"] + work["errors"])
