// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// Entities, labels, references, organizations, notes, bundles, drafts. Source: OpenCTI protocol, 6–8.
extension Platform {
    func coreObject(_ call: GraphQLCall) -> JSONValue {
        knowledge.entity(call.text("id") ?? "").map { knowledge.node($0) } ?? .null
    }

    func labels(_ call: GraphQLCall) -> JSONValue {
        let wanted = Self.values(of: "value", in: call.arguments["filters"])
        let found = knowledge.labels.values.filter { wanted?.contains($0.value) ?? true }.sorted { $0.value < $1.value }
        return Self.connection(
            found.map { ["id": .string($0.id), "value": .string($0.value), "color": .string($0.color)] })
    }

    mutating func addLabel(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        guard let input = call.arguments["input"]?.object, let text = input["value"]?.string, !text.isEmpty else {
            throw .badInput("Variable \"$input\" got invalid value; Field \"value\" of required type was not provided.")
        }
        let value = text.lowercased()
        let label =
            knowledge.labels[value]
            ?? KnownLabel(id: knowledge.newID(), value: value, color: input["color"]?.string ?? "#89b5c4")
        knowledge.labels[value] = label
        return ["id": .string(label.id), "value": .string(label.value), "color": .string(label.color)]
    }

    mutating func addReference(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        guard let input = call.arguments["input"]?.object, input["source_name"]?.string?.isEmpty == false else {
            throw .badInput("Variable \"$input\" got invalid value; Field \"source_name\" was not provided.")
        }
        let reference = knowledge.addReference(input)
        return [
            "id": .string(reference.id), "standard_id": .string("external-reference--" + reference.id),
            "url": input["url"] ?? .null,
        ]
    }

    func identities(_ call: GraphQLCall) -> JSONValue {
        let wanted = Self.values(of: "name", in: call.arguments["filters"])?.map { $0.lowercased() }
        let found = knowledge.organizations.values.filter { organization in
            wanted?.contains(organization["name"]?.string?.lowercased() ?? "") ?? true
        }
        return Self.connection(found.map(JSONValue.object))
    }

    mutating func addOrganization(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        guard let input = call.arguments["input"]?.object, let name = input["name"]?.string, name.count >= 2 else {
            throw .badInput("Variable \"$input\" got invalid value; name must have at least 2 characters.")
        }
        let key = name.lowercased()
        let known = knowledge.organizations[key]
        var organization = known ?? ["id": .string(knowledge.newID())]
        organization["standard_id"] = .string(Knowledge.identityID(of: name))
        organization["name"] = .string(name)
        organization["description"] = input["description"] ?? .null
        knowledge.organizations[key] = organization
        return .object(organization)
    }

    mutating func addNote(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        guard let input = call.arguments["input"]?.object, input["content"]?.string != nil else {
            throw .badInput("Variable \"$input\" got invalid value; Field \"content\" was not provided.")
        }
        let id = input["stix_id"]?.string ?? "note--" + knowledge.newID()
        knowledge.notes[id] = input
        return ["id": .string(id), "standard_id": .string(id)]
    }

    /// `stixCyberObservableEdit`, `stixDomainObjectEdit`
    mutating func editObject(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        let id = call.text("id") ?? ""
        guard knowledge.entity(id) != nil else {
            throw GraphQLFault(
                code: "FUNCTIONAL_ERROR", message: "Cannot edit the field, Element cannot be found.", status: 400)
        }
        var answer: JSONObject = [:]
        for field in try call.plan.fields(of: call.field) {
            let arguments = call.plan.arguments(of: field)
            switch field.name {
            case "fieldPatch":
                for change in arguments["input"]?.array ?? [] { try patch(id, change) }
            case "relationAdd":
                let input = arguments["input"]
                try attach(id, input?["toId"]?.string ?? "", as: input?["relationship_type"]?.string ?? "")
            case "relationDelete":
                let target = arguments["toId"]?.string ?? ""
                knowledge.change(id) { [labels = knowledge.labels] entity in
                    entity.labels.removeAll { labels[$0]?.id == target }
                    entity.references.removeAll { $0 == target }
                }
            default: break
            }
            answer[field.name] = ["id": .string(id)]
        }
        return .object(answer)
    }

    private mutating func patch(_ id: String, _ change: JSONValue) throws(GraphQLFault) {
        guard let key = change["key"]?.string, let values = change["value"]?.array else {
            throw .badInput("Variable \"$input\" got invalid value; an edit needs a key and a list of values.")
        }
        let texts = values.compactMap { $0.string ?? $0.number.map { "\($0)" } }
        let operation = change["operation"]?.string ?? "replace"
        switch key {
        case "objectLabel", "externalReferences":
            let relation = key == "objectLabel" ? "object-label" : "external-reference"
            let labels = knowledge.labels
            if operation != "add" {
                knowledge.change(id) { entity in
                    if relation == "object-label" {
                        entity.labels.removeAll { value in
                            operation == "replace" || texts.contains(labels[value]?.id ?? "")
                        }
                    } else {
                        entity.references.removeAll { operation == "replace" || texts.contains($0) }
                    }
                }
            }
            if operation != "remove" { for text in texts { try attach(id, text, as: relation) } }
        case "x_opencti_description", "description": knowledge.change(id) { $0.description = texts.first }
        case "x_opencti_score": knowledge.change(id) { $0.score = texts.first.flatMap { Int64($0) } }
        default:
            throw GraphQLFault(code: "FUNCTIONAL_ERROR", message: "This attribute key \(key) is unknown", status: 400)
        }
    }

    private mutating func attach(_ id: String, _ target: String, as relation: String) throws(GraphQLFault) {
        let missing = GraphQLFault(
            code: "MISSING_REFERENCE_ERROR", message: "Element(s) not found", status: 404)
        switch relation {
        case "object-label":
            guard let label = knowledge.labels.values.first(where: { $0.id == target }) else { throw missing }
            knowledge.change(id) { if !$0.labels.contains(label.value) { $0.labels.append(label.value) } }
        case "external-reference":
            guard knowledge.references[target] != nil else { throw missing }
            knowledge.change(id) { if !$0.references.contains(target) { $0.references.append(target) } }
        default:
            throw GraphQLFault(code: "FUNCTIONAL_ERROR", message: "\(relation) is not possible here", status: 400)
        }
    }

    // MARK: Bundles

    mutating func pushBundle(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        guard connectors[call.text("connectorId") ?? ""] != nil else {
            throw .functional("No connector found with the specified ID")
        }
        guard let bundle = call.text("bundle").flatMap({ try? JSONValue(parsing: $0) }),
            bundle["type"]?.string == "bundle", let objects = bundle["objects"]?.array, !objects.isEmpty
        else { throw GraphQLFault(code: "UNSUPPORTED_ERROR", message: "Invalid bundle", status: 500) }
        var message: JSONObject = ["update": true, "applicant_id": .string(Self.userID)]
        if let work = call.text("work_id") { message["work_id"] = .string(work) }
        take(TakenBundle(way: "api", message: message, objects: objects), at: call.now.description)
        return true
    }

    mutating func executePlaybookStep(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        guard let bundle = call.text("bundle").flatMap({ try? JSONValue(parsing: $0) }),
            let objects = bundle["objects"]?.array
        else { throw .badInput("Variable \"$bundle\" got invalid value") }
        var message = call.arguments
        message["bundle"] = nil
        message["previous_bundle"] = nil
        knowledge.bundles.append(TakenBundle(way: "playbook", message: message, objects: objects))
        knowledge.apply(objects)
        return true
    }

    mutating func uploadPending(_ call: GraphQLCall) throws(GraphQLFault) -> JSONValue {
        guard let file = call.arguments["file"],
            let bundle = file["content"]?.string.flatMap({ try? JSONValue(parsing: $0) })
        else { throw .badInput("Variable \"$file\" got invalid value; Upload value invalid.") }
        knowledge.bundles.append(
            TakenBundle(
                way: "workbench",
                message: ["entity_id": call.arguments["entityId"] ?? .null, "name": file["name"] ?? .null],
                objects: bundle["objects"]?.array ?? []))
        return ["id": "import/pending/simulated", "name": file["name"] ?? .null]
    }

    mutating func addDraft(_ call: GraphQLCall) -> JSONValue {
        let id = knowledge.newID()
        knowledge.drafts.append(["id": .string(id), "input": call.arguments["input"] ?? .null])
        return ["id": .string(id)]
    }

    // MARK: Answers

    private static func connection(_ nodes: [JSONValue]) -> JSONValue {
        [
            "edges": .array(nodes.map { ["node": $0] }),
            "pageInfo": ["hasNextPage": false, "endCursor": "", "globalCount": .int(nodes.count)],
        ]
    }

    /// The values a filter group or an old list of filters asks for under a key; `nil` without one.
    private static func values(of key: String, in filters: JSONValue?) -> [String]? {
        let list = filters?["filters"]?.array ?? filters?.array ?? []
        let filter = list.first { filter in
            filter["key"]?.string == key || filter["key"]?.array?.contains(.string(key)) ?? false
        }
        return filter?["values"]?.array?.compactMap(\.string)
    }
}
