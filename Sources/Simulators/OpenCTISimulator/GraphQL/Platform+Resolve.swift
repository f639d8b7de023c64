// SPDX-License-Identifier: Apache-2.0

import JSON

extension Platform {
    static let userID = "88ec0c6a-13ce-5e39-b486-354fe4a7084f"

    mutating func resolve(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        switch call.name {
        case "__typename": .string(call.plan.isMutation ? "Mutation" : "Query")
        case "__type": type(call)
        case "about": ["version": .string(configuration.version)]
        case "me": me
        case "streamCollection": call.text("id") == configuration.streamID ? streamCollection : .null
        case "registerConnector": try register(call)
        case "pingConnector": try ping(call)
        case "resetStateConnector": try resetState(call)
        case "deleteConnector": try deleteConnector(call)
        case "connector": connectors[call.text("id") ?? ""].map { json($0) } ?? .null
        case "connectors": .array(connectors.values.sorted { $0.id < $1.id }.map { json($0) })
        case "workAdd": try addWork(call)
        case "workEdit": try editWork(call)
        case "work": works[call.text("id") ?? ""].map { $0.json } ?? .null
        case "isWorkAlive": .bool(works[call.text("id") ?? ""] != nil)
        case "indicator": indicator(call.text("id") ?? "")
        case "indicators": try indicators(call)
        case "stix": stix(call.text("id") ?? "")
        case "stixCoreObject", "stixCyberObservable": coreObject(call)
        case "labels": labels(call)
        case "identities": identities(call)
        case "labelAdd": try addLabel(call)
        case "externalReferenceAdd": try addReference(call)
        case "organizationAdd": try addOrganization(call)
        case "noteAdd": try addNote(call)
        case "stixCyberObservableEdit", "stixDomainObjectEdit": try editObject(call)
        case "stixCoreObjectEdit": try editCoreObject(call)
        case "stixBundlePush": try pushBundle(call)
        case "playbookStepExecution": try executePlaybookStep(call)
        case "uploadPending": try uploadPending(call)
        case "draftWorkspaceAdd": addDraft(call)
        default: throw .invalid("Cannot query field \"\(call.name)\".")
        }
    }

    private func stix(_ id: String) -> JSONValue {
        if let element = database.live(id) { return .string(String(decoding: element.object, as: UTF8.self)) }
        return knowledge.entity(id).map { .string(JSONValue.object(knowledge.stix($0)).text) } ?? .null
    }

    private var me: JSONValue {
        [
            "id": .string(Self.userID), "standard_id": .string("user--" + Self.userID), "entity_type": "User",
            "name": "connector", "user_email": "connector@opencti.example",
            "capabilities": .array(configuration.capabilities.sorted().map { ["name": .string($0)] }),
        ]
    }

    private var streamCollection: JSONValue {
        [
            "id": .string(configuration.streamID), "name": "Indicators", "description": "Indicators for endpoints",
            "filters": .string(configuration.streamFilters), "stream_live": .bool(access != .stopped),
            "stream_public": .bool(access == .public),
        ]
    }

    /// The one probe that works while introspection is off (OpenCTI protocol, 1.1).
    private func type(_ call: GraphQLCall) -> JSONValue {
        guard let name = call.text("name") else { return .null }
        if name == "RegisterConnectorInput" {
            let fields = Schema.registration.filter { $0.since <= release }
            return [
                "name": .string(name), "kind": "INPUT_OBJECT",
                "inputFields": .array(fields.map { ["name": .string($0.name)] }),
            ]
        }
        guard let fields = Schema.types[name] else { return .null }
        return [
            "name": .string(name), "kind": "OBJECT",
            "fields": .array(fields.filter { $0.value.since <= release }.keys.sorted().map { ["name": .string($0)] }),
        ]
    }
}
