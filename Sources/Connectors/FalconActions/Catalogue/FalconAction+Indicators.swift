// SPDX-License-Identifier: Apache-2.0

import Falcon
import JSON

extension FalconAction {
    static let indicators: [FalconAction] = singles + searches + writes + pushes

    private static let singles: [FalconAction] = [
        FalconAction(
            slug: "block_ioc", dockerParameter: "block_ioc", name: "Block IOC",
            summary: "Create one custom IOC with action prevent.", schema: value("md5 or sha256, any letter case"),
            scopes: [.iocWrite], isWrite: true),
        FalconAction(
            slug: "monitor_ioc", dockerParameter: "monitor_ioc", name: "Monitor IOC",
            summary: "Create one custom IOC with action detect.",
            schema: value("md5, sha256, domain, ipv4 or ipv6, any letter case"), scopes: [.iocWrite], isWrite: true),
    ]

    private static let searches: [FalconAction] = [
        FalconAction(
            slug: "get_indicators", dockerParameter: "ioc_get_indicators", name: "Get Indicators",
            summary: "Fetch custom IOCs by id.", schema: ArgumentSchema.onlyIDs("Indicator ids", perRequest: 200),
            scopes: [.iocRead], isWrite: false),
        FalconAction(
            slug: "search_indicators", dockerParameter: "ioc_search_indicators", name: "Search Indicators",
            summary: "Search custom IOC ids.",
            schema: ArgumentSchema.object(
                [
                    "filter": ArgumentSchema.text(), "sort": ArgumentSchema.text("field|asc or field|desc"),
                    "limit": [
                        "type": "integer", "minimum": 1,
                        "description":
                            "Total number of ids wanted (pages of 500: falconpy documents 1-500, psfalcon up to 2000)",
                    ],
                    "offset": ArgumentSchema.text("Integer offset, or the after token of an earlier answer"),
                ], required: []), scopes: [.iocRead], isWrite: false),
        FalconAction(
            slug: "get_ioc_actions", dockerParameter: "ioc_get_actions", name: "Get IOC Actions",
            summary: "Describe IOC actions by id.",
            schema: ArgumentSchema.onlyIDs("Action ids (e.g. detect, prevent)", perRequest: 500), scopes: [.iocRead],
            isWrite: false),
        FalconAction(
            slug: "get_indicators_report", dockerParameter: "ioc_get_indicators_report",
            name: "Get Indicators Report", summary: "Start an export job of custom IOCs.",
            schema: ArgumentSchema.object(
                [
                    "report_format": ["type": "string", "enum": ["csv", "json"], "default": "csv"],
                    "search": [
                        "type": "object",
                        "properties": [
                            "filter": ["type": "string"], "query": ["type": "string"], "sort": ["type": "string"],
                        ],
                    ],
                ], required: []), scopes: [.iocRead, .iocWrite], isWrite: true),
    ]

    private static let writes: [FalconAction] = [
        FalconAction(
            slug: "create_indicators", dockerParameter: "ioc_create_indicators", name: "Create Indicators",
            summary: "Create custom IOCs from full indicator objects.",
            schema: list(
                [
                    "type": ArgumentSchema.choice(["md5", "sha256", "domain", "ipv4", "ipv6", "all_subdomains"]),
                    "value": ArgumentSchema.text(),
                ], required: ["type", "value", "applied_globally"]), scopes: [.iocWrite], isWrite: true,
            additions: ["comment", "retrodetects", "ignore_warnings"]),
        FalconAction(
            slug: "update_indicators", dockerParameter: "ioc_update_indicators", name: "Update Indicators",
            summary: "Update custom IOCs.", schema: list(["id": ArgumentSchema.text()], required: ["id"]),
            scopes: [.iocWrite], isWrite: true, additions: ["comment", "retrodetects", "ignore_warnings"]),
        FalconAction(
            slug: "delete_indicators", dockerParameter: "ioc_delete_indicators", name: "Delete Indicators",
            summary: "Delete custom IOCs by id.",
            schema: ArgumentSchema.object(
                [
                    "ids": ArgumentSchema.ids("Indicator ids", perRequest: 200), "comment": ArgumentSchema.text(),
                ], required: ["ids"]), scopes: [.iocWrite], isWrite: true, additions: ["comment"]),
    ]

    private static let pushes: [FalconAction] = [
        FalconAction(
            slug: "push_iocs_for_prevention", dockerParameter: "push_iocs_block", name: "Push IOCs for prevention",
            summary: "Clean expired IOCs, then create or delete prevent IOCs (file hashes) from STIX indicators.",
            schema: push([:]), scopes: [.iocRead, .iocWrite], isWrite: true, additions: ["stix_objects"]),
        FalconAction(
            slug: "push_iocs_for_detection", dockerParameter: "push_iocs_detect", name: "Push IOCs for detection",
            summary: "Clean expired (and optionally old) IOCs, then create or delete detect IOCs from STIX indicators.",
            schema: push([
                "valid_for": [
                    "type": "integer", "minimum": 1,
                    "description": "Also delete own IOCs whose last modification is at least this many days old",
                ]
            ]), scopes: [.iocRead, .iocWrite], isWrite: true, additions: ["stix_objects"]),
    ]

    private static func value(_ types: String) -> JSONValue {
        ArgumentSchema.object(
            ["value": ArgumentSchema.text(isFilled: true), "type": ArgumentSchema.text(types)],
            required: ["value", "type"])
    }

    private static func push(_ more: JSONObject) -> JSONValue {
        var properties: JSONObject = [
            "stix_objects_path": ArgumentSchema.text(
                "File (relative to the data directory) holding a JSON array of STIX objects"),
            "stix_objects": [
                "type": "array", "items": ["type": "object"],
                "description": "Undeclared but honoured: inline objects, takes precedence",
            ],
            "sekoia_base_url": ["type": "string", "default": "https://app.sekoia.io"],
        ]
        for (name, schema) in more { properties[name] = schema }
        return [
            "$schema": "http://json-schema.org/draft-07/schema#", "title": "Arguments", "type": "object",
            "properties": .object(properties),
            "anyOf": [["required": ["stix_objects_path"]], ["required": ["stix_objects"]]],
            "x-seed-required": ["stix_objects_path"],
        ]
    }

    private static func list(_ first: JSONObject, required: [String]) -> JSONValue {
        var properties = first
        for (name, schema) in common { properties[name] = schema }
        return ArgumentSchema.object(
            [
                "indicators": [
                    "type": "array", "minItems": 1, "x-falcon-max-per-request": 200,
                    "items": [
                        "type": "object", "properties": .object(properties),
                        "required": .array(required.map { .string($0) }),
                    ],
                ],
                "comment": ArgumentSchema.text(), "retrodetects": ["type": "boolean"],
                "ignore_warnings": ["type": "boolean", "default": false],
            ], required: ["indicators"])
    }

    private static let common: JSONObject = [
        "action": ArgumentSchema.choice(["no_action", "allow", "detect", "prevent_no_ui", "prevent"]),
        "mobile_action": ArgumentSchema.text(),
        "severity": ArgumentSchema.choice(["informational", "low", "medium", "high", "critical"]),
        "platforms": ["type": "array", "items": ArgumentSchema.choice(["windows", "mac", "linux", "ios", "android"])],
        "source": ArgumentSchema.text(), "description": ArgumentSchema.text(),
        "tags": ["type": "array", "items": ["type": "string"]],
        "expiration": ["type": "string", "format": "date-time"], "applied_globally": ["type": "boolean"],
        "host_groups": ["type": "array", "items": ["type": "string"]],
        "metadata": ["type": "object", "properties": ["filename": ["type": "string"]]],
    ]
}
