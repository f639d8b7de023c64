// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// A connector as the platform keeps it.
struct ConnectorRecord: Sendable {
    let id: String
    var input: JSONObject
    /// As text, as it was sent.
    var state: String?
    /// An operator reset the state: the next ping is told and its own state ignored.
    var isReset = false
    var info: JSONValue = .null
    var updatedAt = ""
    var pings = 0
    var registrations = 0
}

/// Registration and pings. Source: OpenCTI protocol, 2.3 and 2.4.
extension Platform {
    private static let kinds: Set<String> = [
        "EXTERNAL_IMPORT", "INTERNAL_IMPORT_FILE", "INTERNAL_ENRICHMENT", "INTERNAL_ANALYSIS", "INTERNAL_EXPORT_FILE",
        "STREAM",
    ]

    mutating func register(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        guard let input = call.arguments["input"]?.object else {
            throw .badInput("Variable \"$input\" was not provided.")
        }
        try checkRegistration(input)
        let id = input["id"]?.string ?? ""
        var connector = connectors[id] ?? ConnectorRecord(id: id, input: input)
        connector.input = input
        connector.updatedAt = call.now.description
        connector.registrations += 1
        connectors[id] = connector
        tallies.registrations += 1
        return json(connector)
    }

    private func checkRegistration(_ input: JSONObject) throws(GraphQLFault) {
        func refuse(_ reason: String) -> GraphQLFault {
            .badInput("Variable \"$input\" got invalid value \(JSONValue.object(input).text); \(reason)")
        }
        for (key, value) in input {
            guard let known = Schema.registration.first(where: { $0.name == key }), known.since <= release else {
                throw refuse("Field \"\(key)\" is not defined by type \"RegisterConnectorInput\".")
            }
            let fits =
                switch key {
                case "id", "name", "type": value.string != nil
                case "scope": value.isNull || value.array.map { $0.allSatisfy { $0.string != nil } } ?? false
                case "auto", "auto_update", "only_contextual", "playbook_compatible": value.isNull || value.bool != nil
                default: value.isNull || value.string != nil
                }
            guard fits else { throw refuse("\(key) has a value of the wrong type.") }
        }
        for key in ["id", "name", "type"] where input[key] == nil {
            throw refuse("Field \"\(key)\" of required type was not provided.")
        }
        guard let kind = input["type"]?.string, Self.kinds.contains(kind) else {
            throw refuse("Value \"\(input["type"]?.string ?? "")\" does not exist in \"ConnectorType\" enum.")
        }
        guard let name = input["name"]?.string, name.count >= 2, name.contains(where: { !$0.isWhitespace }) else {
            throw refuse("name must have at least 2 characters.")
        }
    }

    mutating func ping(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        var connector = try known(call)
        if connector.isReset {
            connector.isReset = false
        } else if let state = call.text("state") {
            connector.state = state
        }
        if let info = call.arguments["connectorInfo"] { connector.info = info }
        connector.updatedAt = call.now.description
        connector.pings += 1
        connectors[connector.id] = connector
        tallies.pings += 1
        return json(connector)
    }

    mutating func resetState(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        let connector = try known(call)
        resetState(of: connector.id)
        return connectors[connector.id].map { json($0) } ?? .null
    }

    mutating func deleteConnector(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        let connector = try known(call)
        connectors[connector.id] = nil
        works = works.filter { $0.value.connector != connector.id }
        return .string(connector.id)
    }

    /// What the button in the console does; all connectors without an id.
    mutating func resetState(of id: String? = nil) {
        for key in connectors.keys where id == nil || id == key {
            connectors[key]?.state = ""
            connectors[key]?.isReset = true
        }
    }

    private func known(_ call: GraphQLCall) throws(GraphQLFault) -> ConnectorRecord {
        guard let connector = connectors[call.text("id") ?? ""] else {
            throw .functional("No connector found with the specified ID")
        }
        return connector
    }

    func json(_ connector: ConnectorRecord) -> JSONValue {
        let id = connector.id
        func queue(_ name: String) -> JSONValue { .string("\(name)_\(id)") }
        var json = connector.input
        json["standard_id"] = .string("connector--" + id)
        json["entity_type"] = "Connector"
        json["connector_type"] = connector.input["type"]
        json["connector_scope"] = connector.input["scope"]
        json["connector_state"] = connector.state.map { .string($0) } ?? .null
        json["connector_state_reset"] = .bool(connector.isReset)
        json["connector_info"] = connector.info
        json["connector_user_id"] = .string(Self.userID)
        json["connector_user"] = ["id": .string(Self.userID), "name": "connector"]
        json["connector_queue_details"] = [
            "messages_number": .int(configuration.queueBytes / 1000), "messages_size": .int(configuration.queueBytes),
        ]
        json["active"] = true
        json["updated_at"] = .string(connector.updatedAt)
        json["jwks"] = .string(configuration.keySet)
        json["works"] = .array(works.values.filter { $0.connector == id }.map(\.json))
        json["config"] = [
            "connection": configuration.broker?.json ?? [
                "host": "rabbitmq.example", "vhost": "/", "use_ssl": false, "port": 5672, "user": "opencti",
                "pass": "simulated",
            ],
            "listen": queue("listen"), "listen_routing": queue("listen_routing"),
            "listen_exchange": "amqp.connector.exchange",
            "listen_callback_uri": connector.input["listen_callback_uri"] ?? .null,
            "push": queue("push"), "push_routing": queue("push_routing"), "push_exchange": "amqp.worker.exchange",
            "dead_letter_routing": queue("dead_letter_routing"),
            "s3": [
                "endpoint": .string(configuration.storageHost), "port": .int(configuration.storagePort),
                "use_ssl": true, "bucket_name": "opencti-bucket",
                "bucket_region": "us-east-1", "access_key": "simulated", "secret_key": "simulated",
            ],
        ]
        return .object(json)
    }
}
