// SPDX-License-Identifier: Apache-2.0

import Falcon
import JSON

extension FalconAction {
    static let alerts: [FalconAction] = [
        FalconAction(
            slug: "add_new_comment_to_alert", dockerParameter: "alert_add_comment", name: "Add new comment to alert",
            summary: "Append a comment to each of the given alerts.",
            schema: ArgumentSchema.object(
                [
                    "ids": ArgumentSchema.ids("Composite alert ids", perRequest: FalconClient.maxAlerts),
                    "comment": ArgumentSchema.text("Text to append", isFilled: true),
                ], required: ["ids", "comment"]), scopes: [.alertsWrite], isWrite: true),
        FalconAction(
            slug: "update_alert_status", dockerParameter: "alert_update_status", name: "Update alert status",
            summary: "Set the status of each of the given alerts.",
            schema: ArgumentSchema.object(
                [
                    "ids": ArgumentSchema.ids("Composite alert ids", perRequest: FalconClient.maxAlerts),
                    "new_status": ArgumentSchema.choice(["new", "in_progress", "closed", "reopened"]),
                ], required: ["ids", "new_status"]), scopes: [.alertsWrite], isWrite: true),
        FalconAction(
            slug: "get_alerts_v2", dockerParameter: "get_alerts_v2", name: "Get Alerts V2",
            summary: "Fetch alerts by composite id.",
            schema: ArgumentSchema.onlyIDs("Composite alert ids", perRequest: FalconClient.maxAlerts),
            scopes: [.alertsRead], isWrite: false),
        FalconAction(
            slug: "get_behaviors", dockerParameter: "get_behaviors", name: "Get Behaviors",
            summary: "Fetch behaviours by id: as alerts, or from the incidents API where a tenant still has it.",
            schema: ArgumentSchema.onlyIDs("Behaviour ids", perRequest: FalconClient.maxIncidents),
            scopes: [.alertsRead, .incidentsRead], isWrite: false),
        FalconAction(
            slug: "get_incidents", dockerParameter: "get_incidents", name: "Get Incidents",
            summary: "Fetch incidents by id: as cases, or from the incidents API where a tenant still has it.",
            schema: ArgumentSchema.onlyIDs("Incident ids", perRequest: FalconClient.maxIncidents),
            scopes: [.casesRead, .incidentsRead], isWrite: false),
    ]
}
