// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// Requests for enrichment in the form of the platform's version. Source: OpenCTI protocol, 5.2.
extension Platform {
    /// What somebody asks for.
    struct EnrichmentOrder: Sendable {
        var entity: String
        var isPlaybook = false
        var trigger = "create"
        var mode = "manual"
        /// Merged into `event`.
        var event: JSONObject = [:]
        /// Merged into `internal`.
        var details: JSONObject = [:]
    }

    /// What the button “Enrich” does.
    mutating func editCoreObject(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        let id = call.text("id") ?? ""
        guard knowledge.entity(id) != nil else { throw .functional("Cannot enrich, Element cannot be found.") }
        var answer: JSONObject = [:]
        for field in try call.plan.fields(of: call.field) {
            let connector = call.plan.arguments(of: field)["connectorId"]?.string ?? ""
            guard connectors[connector] != nil else {
                throw .functional("No connector found with the specified ID")
            }
            let (text, work) = message(for: EnrichmentOrder(entity: id), connector: connector, at: call.now)
            outbox.append((connector, text))
            answer[field.name] = work.flatMap { works[$0]?.json } ?? .null
        }
        return .object(answer)
    }

    /// The message, and the work that was made for it.
    mutating func message(
        for order: EnrichmentOrder, connector: String, at now: Instant
    ) -> (text: [UInt8], work: String?) {
        let entity = knowledge.entity(order.entity)
        var details: JSONObject = ["applicant_id": .null, "draft_id": "", "trigger": .string(order.trigger)]
        details["mode"] = .string(order.mode)
        var event: JSONObject = ["entity_id": .string(entity?.standardID ?? order.entity)]
        var work: String?
        if order.isPlaybook {
            let number = knowledge.newID()
            details["work_id"] = .null
            details["applicant_id"] = .string(Self.userID)
            details["playbook"] = [
                "event_id": .string("1735787045000-0"), "execution_id": .string(number),
                "playbook_id": "7d2e9f10-0b1c-4a2d-8e3f-4a5b6c7d8e9f", "data_instance_id": .string(number),
                "step_id": "1f2e3d4c-5b6a-4978-8695-a4b3c2d1e0f9",
                "previous_step_id":
                    "0e1d2c3b-4a59-4867-9574-83a2b1c0d9e8",
            ]
            event["bundle"] = [
                "type": "bundle", "id": .string("bundle--" + number),
                "objects": .array(entity.map { [.object(knowledge.stix($0))] } ?? []),
            ]
        } else {
            // Of two at the same moment the later one gets the next millisecond; looking for a free one would take long.
            let moment = lastAsked.map { max(now, $0.advanced(by: .milliseconds(1))) } ?? now
            lastAsked = moment
            let id = "work_\(connector)_\(moment)"
            works[id] = WorkRecord(
                id: id, connector: connector, name: "Enrichment (\(entity?.standardID ?? order.entity))",
                timestamp: moment.description, isMultiPart: false)
            work = id
            details["work_id"] = .string(id)
            event["event_type"] = "INTERNAL_ENRICHMENT"
            event["entity_type"] = entity.map { .string($0.type) } ?? .null
            // Before 6.8.10 the connector reads the entity itself.
            if release >= .autoUpdate {
                event["stix_entity"] = entity.map { .string(JSONValue.object(knowledge.stix($0)).text) } ?? .null
                event["stix_objects"] = .null
            }
        }
        for (key, value) in order.event { event[key] = value }
        for (key, value) in order.details { details[key] = value }
        let message: JSONValue = ["internal": .object(details), "event": .object(event)]
        return (message.bytes, work)
    }
}
