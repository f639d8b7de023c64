# SPDX-License-Identifier: Apache-2.0
"""The contract table of Falcon operations, as a judge of requests and answers."""
from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

CASES = Path(__file__).resolve().parents[2] / "Vectors" / "cases"


@cache
def operations() -> dict[str, dict[str, Any]]:
    table = json.loads((CASES / "falcon-api.json").read_text(encoding="utf-8"))
    return {operation["operation_id"]: operation for operation in table["operations"]}


def ioc_operations() -> dict[str, dict[str, Any]]:
    """What the connector and its check call: the token pair, IOC management, and its legacy twins."""
    prefixes = ("/oauth2/", "/iocs/", "/indicators/", "/processes/")
    return {name: operation for name, operation in operations().items() if operation["path"].startswith(prefixes)}


def judge_answer(name: str, status: int, body: Any) -> None:
    """Fails unless an answer has the status and the shape that the vendor promises for this operation."""
    operation = operations()[name]
    assert status == operation["success_status"], f"{name} answered {status}: {body}"
    jsonschema.validate(body, operation["response_schema"], format_checker=jsonschema.FormatChecker())


def judge_request(method: str, path: str, query: dict[str, Any], body: Any) -> None:
    """Fails unless a request is one that the vendor documents, in its strict form where there is one."""
    matching = [o for o in operations().values() if (o["method"], o["path"]) == (method, path)]
    assert matching, f"no documented operation: {method} {path}"
    operation = matching[0]
    known = {parameter["name"] for parameter in operation["query"]}
    assert set(query) <= known, f"{method} {path}: unknown query parameters {set(query) - known}"
    required = {parameter["name"] for parameter in operation["query"] if parameter.get("required")}
    assert required <= set(query), f"{method} {path}: missing query parameters {required - set(query)}"
    schema = operation.get("strict_body_schema") or operation.get("body_schema")
    if schema and body is not None:
        jsonschema.validate(body, schema, format_checker=jsonschema.FormatChecker())


def model_alert(composite_id: str, **members: Any) -> dict[str, Any]:
    """An alert with every member that the vendor's model requires."""
    schema = operations()["PostEntitiesAlertsV2"]["response_schema"]["$defs"]
    [model] = [one for one in schema.values() if "aggregate_id" in one.get("properties", {})]

    def sample(member: dict[str, Any]) -> Any:
        kind = member["type"] if isinstance(member.get("type"), str) else (member.get("type") or ["string"])[0]
        if member.get("format") == "date-time":
            return "2026-02-14T09:00:00Z"
        return {"integer": 1, "number": 1, "boolean": False, "array": [], "object": {}}.get(kind, "x")

    required = {name: sample(model["properties"][name]) for name in model["required"]}
    return {**required, "composite_id": composite_id, **members}
