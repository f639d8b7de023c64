// SPDX-License-Identifier: Apache-2.0

public import JSON
public import STIX

/// An entity as it stands on the platform now.
public struct PlatformEntity: Sendable, Hashable {
    public var id: String
    public var standardID: String
    /// `IPv4-Addr`
    public var type: String
    public var isObservable: Bool
    /// Labels on it, value → internal id.
    public var labels: [String: String]
    public var markings: [(standardID: String, type: String, definition: String)]
    /// External references on it, URL → internal id.
    public var references: [String: String]
    /// Of observables.
    public var description: String?
    public var score: Int64?

    init?(_ node: JSONValue) {
        guard let id = node["id"]?.string, let standardID = node["standard_id"]?.string,
            let type = node["entity_type"]?.string
        else { return nil }
        self.id = id
        self.standardID = standardID
        self.type = type
        isObservable =
            node["parent_types"]?.array?.contains("Stix-Cyber-Observable") ?? false
        labels = [:]
        for label in node["objectLabel"]?.array ?? [] {
            if let value = label["value"]?.string, let id = label["id"]?.string { labels[value] = id }
        }
        markings = (node["objectMarking"]?.array ?? []).compactMap { marking in
            guard let id = marking["standard_id"]?.string else { return nil }
            return (id, marking["definition_type"]?.string ?? "", marking["definition"]?.string ?? "")
        }
        references = [:]
        for edge in node["externalReferences"]?["edges"]?.array ?? [] {
            guard let url = edge["node"]?["url"]?.string, let id = edge["node"]?["id"]?.string else { continue }
            references[url] = id
        }
        description = node["x_opencti_description"]?.string
        score = node["x_opencti_score"]?.int
    }

    public static func == (left: PlatformEntity, right: PlatformEntity) -> Bool {
        left.id == right.id && left.labels == right.labels && left.references == right.references
            && left.description == right.description && left.score == right.score
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

/// One change within a patch of an entity.
public struct EntityPatch: Sendable, Hashable {
    public enum Operation: String, Sendable, Hashable { case add, replace, remove }
    /// `objectLabel`, `externalReferences`, `x_opencti_description`, `x_opencti_score`, …
    public var key: String
    /// Texts; ids where the key stands for objects.
    public var values: [String]
    public var operation: Operation

    public init(_ key: String, _ values: [String], _ operation: Operation = .replace) {
        self.key = key
        self.values = values
        self.operation = operation
    }

    /// The relation behind a key that stands for objects.
    var relation: String? {
        switch key {
        case "objectLabel": "object-label"
        case "externalReferences": "external-reference"
        case "objectMarking": "object-marking"
        default: nil
        }
    }

    var json: JSONValue {
        [
            "key": .string(key), "value": .array(values.map(JSONValue.string)),
            "operation": .string(operation.rawValue),
        ]
    }
}

/// Writes straight to the platform's knowledge. Creations are upserts: what exists is returned and merged.
/// Source: OpenCTI protocol, 8.1.
extension OpenCTIClient {
    /// - Parameter id: internal id, standard id, or any STIX id.
    /// - Returns: `nil` when there is none or the user may not see it.
    public func entity(_ id: String, draft: String? = nil) async throws(OpenCTIError) -> PlatformEntity? {
        let data = try await execute(OpenCTIDocuments.entity, variables: ["id": .string(id)], draft: draft)
        guard let node = data["stixCoreObject"], !node.isNull else { return nil }
        guard let entity = PlatformEntity(node) else {
            throw .malformed(operation: "entity", reason: "id, standard_id or entity_type is missing")
        }
        return entity
    }

    /// Labels that exist, of those asked for: value → internal id.
    public func labels(_ values: [String], on version: PlatformVersion?) async throws(OpenCTIError) -> [String: String]
    {
        guard !values.isEmpty else { return [:] }
        let filters: JSONValue
        if version?.hasFilterGroups ?? true {
            filters = FilterGroup(filters: [.init(["value"], values: values.map(JSONValue.string))]).json
        } else {
            filters = [["key": "value", "values": .array(values.map(JSONValue.string))]]
        }
        let document =
            version?.hasFilterGroups ?? true
            ? OpenCTIDocuments.labels : OpenCTIDocuments.labels.replacing("FilterGroup", with: "[LabelsFiltering]")
        let data = try await execute(document, variables: ["filters": filters])
        var known: [String: String] = [:]
        for edge in data["labels"]?["edges"]?.array ?? [] {
            if let value = edge["node"]?["value"]?.string, let id = edge["node"]?["id"]?.string { known[value] = id }
        }
        return known
    }

    /// Creates a label; one that exists keeps its colour. Needs SETTINGS_SETLABELS.
    ///
    /// - Returns: its internal id and the value as the platform keeps it.
    public func addLabel(_ value: String, color: String?) async throws(OpenCTIError) -> (id: String, value: String) {
        var input: JSONObject = ["value": .string(value)]
        if let color { input["color"] = .string(color) }
        let data = try await execute(OpenCTIDocuments.labelAdd, variables: ["input": .object(input)])
        guard let id = data["labelAdd"]?["id"]?.string else {
            throw .malformed(operation: "labelAdd", reason: "the label's id is missing")
        }
        return (id, data["labelAdd"]?["value"]?.string ?? value)
    }

    /// - Returns: the internal id.
    public func addExternalReference(_ reference: ExternalReference) async throws(OpenCTIError) -> String {
        var input: JSONObject = ["source_name": .string(reference.sourceName)]
        if let url = reference.url { input["url"] = .string(url) }
        if let id = reference.externalID { input["external_id"] = .string(id) }
        if let description = reference.description { input["description"] = .string(description) }
        let data = try await execute(OpenCTIDocuments.externalReferenceAdd, variables: ["input": .object(input)])
        guard let id = data["externalReferenceAdd"]?["id"]?.string else {
            throw .malformed(operation: "externalReferenceAdd", reason: "the reference's id is missing")
        }
        return id
    }

    /// The standard id of the organization of that name or alias, made where there is none.
    public func organization(
        named name: String, description: String, on version: PlatformVersion?
    ) async throws(OpenCTIError) -> String {
        // Before 5.12 filters have another form; creating is an upsert there as well.
        if version?.hasFilterGroups ?? true {
            let filters = FilterGroup(
                mode: .or,
                filters: [
                    .init(["name"], values: [.string(name)]), .init(["x_opencti_aliases"], values: [.string(name)]),
                ])
            let data = try await execute(OpenCTIDocuments.organizations, variables: ["filters": filters.json])
            if let id = data["identities"]?["edges"]?[0]?["node"]?["standard_id"]?.string { return id }
        }
        let data = try await execute(
            OpenCTIDocuments.organizationAdd,
            variables: ["input": ["name": .string(name), "description": .string(description)]])
        guard let id = data["organizationAdd"]?["standard_id"]?.string else {
            throw .malformed(operation: "organizationAdd", reason: "the organization's id is missing")
        }
        return id
    }

    /// - Parameter input: a `NoteAddInput`; with `stix_id`, so that a repetition is the same note.
    public func addNote(_ input: JSONObject, draft: String? = nil) async throws(OpenCTIError) {
        _ = try await execute(OpenCTIDocuments.noteAdd, variables: ["input": .object(input)], draft: draft)
    }

    /// Changes an entity in one call. Where the platform does not take objects in a patch (it says so by refusing the
    /// input), each goes by a call of its own.
    public func patch(
        _ entity: PlatformEntity, _ changes: [EntityPatch], draft: String? = nil
    ) async throws(OpenCTIError) {
        guard !changes.isEmpty else { return }
        let document = entity.isObservable ? OpenCTIDocuments.patchObservable : OpenCTIDocuments.patchObject
        do throws(OpenCTIError) {
            _ = try await execute(
                document, variables: ["id": .string(entity.id), "input": .array(changes.map(\.json))], draft: draft)
        } catch {
            guard let family = error.refusalCode?.family, family == .document || family == .business,
                changes.contains(where: { $0.relation != nil })
            else { throw error }
            try await patchOneByOne(entity, changes, draft: draft)
        }
    }

    private func patchOneByOne(
        _ entity: PlatformEntity, _ changes: [EntityPatch], draft: String?
    ) async throws(OpenCTIError) {
        let plain = changes.filter { $0.relation == nil }
        try await patch(entity, plain, draft: draft)
        let id = JSONValue.string(entity.id)
        for change in changes {
            guard let relation = change.relation else { continue }
            for value in change.values {
                if change.operation == .remove {
                    let document =
                        entity.isObservable ? OpenCTIDocuments.detachFromObservable : OpenCTIDocuments.detachFromObject
                    _ = try await execute(
                        document, variables: ["id": id, "toId": .string(value), "type": .string(relation)],
                        draft: draft)
                } else {
                    let document =
                        entity.isObservable ? OpenCTIDocuments.attachToObservable : OpenCTIDocuments.attachToObject
                    _ = try await execute(
                        document,
                        variables: [
                            "id": id, "input": ["toId": .string(value), "relationship_type": .string(relation)],
                        ], draft: draft)
                }
            }
        }
    }
}
