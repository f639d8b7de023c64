// SPDX-License-Identifier: Apache-2.0

import Base
import Hashing
import JSON

/// An entity that can be enriched, and what enrichments have made of it.
struct KnownEntity: Sendable {
    /// Internal id.
    let id: String
    let standardID: String
    /// `IPv4-Addr`
    let type: String
    var stix: JSONObject
    /// Values, in lower case as the platform keeps them.
    var labels: [String] = []
    /// Standard ids.
    var markings: [String] = []
    /// Internal ids of external references.
    var references: [String] = []
    var description: String?
    var score: Int64?
    /// How often a bundle brought it.
    var writes = 0

    var isObservable: Bool { type != "Organization" && type != "Indicator" && type != "Note" }
}

struct KnownLabel: Sendable {
    let id: String
    let value: String
    let color: String
}

struct KnownReference: Sendable {
    let id: String
    let input: JSONObject
}

struct KnownMarking: Sendable {
    let standardID: String
    let type: String
    let definition: String
}

/// A bundle as it arrived.
struct TakenBundle: Sendable {
    /// `amqp`, `api`, `playbook`, `workbench`
    var way: String
    var message: JSONObject
    var objects: [JSONValue]
}

/// What connectors write: entities, labels, references, organizations, notes, bundles.
struct Knowledge: Sendable {
    private(set) var entities: [String: KnownEntity] = [:]
    private var internalIDs: [String: String] = [:]
    var labels: [String: KnownLabel] = [:]
    private(set) var references: [String: KnownReference] = [:]
    private var referenceIDs: [String: String] = [:]
    var organizations: [String: JSONObject] = [:]
    var notes: [String: JSONObject] = [:]
    var drafts: [JSONValue] = []
    var bundles: [TakenBundle] = []
    /// STIX id → how often a bundle brought it. What the worker makes of it is an upsert, so each stands there once.
    var objects: [String: Int] = [:]
    var objectBodies: [String: JSONValue] = [:]
    private var lastNumber: UInt64 = 0

    static let markings: [KnownMarking] = [
        .init(
            standardID: "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", type: "TLP", definition: "TLP:CLEAR"
        ),
        .init(
            standardID: "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da", type: "TLP", definition: "TLP:GREEN"
        ),
        .init(
            standardID: "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82", type: "TLP", definition: "TLP:AMBER"
        ),
        .init(
            standardID: "marking-definition--826578e1-40ad-459f-bc73-ede076f81f37", type: "TLP",
            definition: "TLP:AMBER+STRICT"),
        .init(
            standardID: "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed", type: "TLP", definition: "TLP:RED"),
        .init(
            standardID: "marking-definition--89484dde-e3d2-547f-a6c6-d14824429eb1", type: "PAP", definition: "PAP:GREEN"
        ),
        // A level of an operator's own.
        .init(
            standardID: "marking-definition--0f3d7b8a-5a0e-5c0e-9a4f-2f6f2f0d8c11", type: "TLP", definition: "TLP:PINK"),
    ]

    mutating func newID() -> String {
        lastNumber += 1
        return Digest128(high: 0x6B8D_1C1E_7C1B_4B0E, low: 0x9B1E_0000_0000_0000 | lastNumber).uuidDescription
    }

    /// One of the same URL is kept as it is.
    mutating func addReference(_ input: JSONObject) -> KnownReference {
        if let url = input["url"]?.string, let known = referenceIDs[url].flatMap({ references[$0] }) { return known }
        let reference = KnownReference(id: newID(), input: input)
        references[reference.id] = reference
        if let url = input["url"]?.string { referenceIDs[url] = reference.id }
        return reference
    }

    func entity(_ id: String) -> KnownEntity? { entities[internalIDs[id] ?? id] }

    mutating func change(_ id: String, _ body: (inout KnownEntity) -> Void) {
        let key = internalIDs[id] ?? id
        guard var entity = entities[key] else { return }
        body(&entity)
        entities[key] = entity
    }

    mutating func remove(_ id: String) {
        let key = internalIDs[id] ?? id
        entities[key].map { internalIDs[$0.id] = nil }
        entities[key] = nil
    }

    /// Adds an observable; an existing one of the same value is returned.
    mutating func addObservable(_ type: String, value: String) -> KnownEntity {
        let stixType = type.lowercased() == "stixfile" ? "file" : type.lowercased()
        let standardID = stixType + "--" + Self.uuid(of: value)
        if let known = entities[standardID] { return known }
        let entity = KnownEntity(
            id: newID(), standardID: standardID, type: type,
            stix: [
                "id": .string(standardID), "spec_version": "2.1", "type": .string(stixType), "value": .string(value),
            ])
        entities[standardID] = entity
        internalIDs[entity.id] = standardID
        return entity
    }

    /// UUIDv5 over the canonical JSON of `{"value": …}` (OpenCTI protocol, 8.2).
    private static func uuid(of value: String) -> String {
        let name: JSONValue = ["value": .string(value)]
        let space = Digest128(high: 0x00AB_EDB4_AA42_466C, low: 0x9C01_FED2_3315_A9B7)
        return UUIDv5.make(namespace: space, name: name.text).uuidDescription
    }

    /// Source: OpenCTI protocol, 8.2.
    static func identityID(of name: String) -> String {
        var trimmed = name.lowercased()
        while trimmed.hasPrefix(" ") { trimmed.removeFirst() }
        while trimmed.hasSuffix(" ") { trimmed.removeLast() }
        let text = JSONValue.object(["identity_class": "organization", "name": .string(trimmed)]).text
        let space = Digest128(high: 0x00AB_EDB4_AA42_466C, low: 0x9C01_FED2_3315_A9B7)
        return "identity--" + UUIDv5.make(namespace: space, name: text).uuidDescription
    }

    /// STIX 2.1 with the platform's extensions, as in messages and as `stix(id)` gives it.
    func stix(_ entity: KnownEntity) -> JSONObject {
        var object = entity.stix
        if !entity.markings.isEmpty {
            object["object_marking_refs"] = .array(entity.markings.map(JSONValue.string))
        }
        var observable: JSONObject = ["extension_type": "property-extension"]
        if !entity.labels.isEmpty { observable["labels"] = .array(entity.labels.map(JSONValue.string)) }
        if let text = entity.description { observable["description"] = .string(text) }
        if let score = entity.score { observable["score"] = .int(score) }
        let attached = entity.references.compactMap { references[$0]?.input }
        if !attached.isEmpty { observable["external_references"] = .array(attached.map(JSONValue.object)) }
        object["extensions"] = [
            "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba": [
                "extension_type": "property-extension", "id": .string(entity.id), "type": .string(entity.type),
                "is_inferred": false,
            ],
            "extension-definition--f93e2c80-4231-4f9a-af8b-95c9bd566a82": .object(observable),
        ]
        return object
    }

    func node(_ entity: KnownEntity) -> JSONValue {
        [
            "__typename": .string(entity.type.replacing("-", with: "")), "id": .string(entity.id),
            "standard_id": .string(entity.standardID), "entity_type": .string(entity.type),
            "parent_types": .array(
                ["Basic-Object", "Stix-Object", "Stix-Core-Object"]
                    + (entity.isObservable ? ["Stix-Cyber-Observable"] : ["Stix-Domain-Object"])),
            "observable_value": entity.stix["value"] ?? .null, "value": entity.stix["value"] ?? .null,
            "x_opencti_description": entity.description.map(JSONValue.string) ?? .null,
            "x_opencti_score": entity.score.map { .int($0) } ?? .null,
            "objectLabel": .array(
                entity.labels.compactMap { labels[$0] }.map {
                    ["id": .string($0.id), "value": .string($0.value), "color": .string($0.color)]
                }),
            "objectMarking": .array(
                Self.markings.filter { entity.markings.contains($0.standardID) }.map {
                    [
                        "id": .string($0.standardID), "standard_id": .string($0.standardID),
                        "definition_type": .string($0.type), "definition": .string($0.definition),
                    ]
                }),
            "externalReferences": [
                "edges": .array(
                    entity.references.compactMap { id in
                        references[id].map { ["node": ["id": .string(id), "url": $0.input["url"] ?? .null]] }
                    })
            ],
        ]
    }

    /// What the worker does with a bundle: creates or merges each object.
    mutating func apply(_ objects: [JSONValue]) {
        for object in objects {
            guard let id = object["id"]?.string else { continue }
            self.objects[id, default: 0] += 1
            objectBodies[id] = object
            guard entities[id] != nil else { continue }
            change(id) { entity in
                entity.writes += 1
                let extended = object["extensions"]?["extension-definition--f93e2c80-4231-4f9a-af8b-95c9bd566a82"]
                if let text = object["x_opencti_description"]?.string ?? extended?["description"]?.string {
                    entity.description = text
                }
            }
        }
    }

}
