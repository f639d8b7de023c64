// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import OpenCTI
import STIX
import Synchronization

/// Applies direct writes with as few calls as possible, and answers a handler's questions. What is found out about labels
/// and organizations is kept, bounded.
actor PlatformWriter: PlatformDirectory {
    nonisolated let version: PlatformVersion?
    private let client: OpenCTIClient
    /// Label value in lower case → internal id; `nil` for one that we may not create.
    private var labels: [String: String?] = [:]
    private var organizations: [String: String] = [:]
    /// Reference → internal id, for a while: one that somebody deletes comes back soon, and not each of thousands of
    /// entities asks for the same few techniques again.
    private var references: [ExternalReference: (id: String, until: Duration)] = [:]
    private let time: any TimeSource
    private static let kept = 20_000
    /// Most are of one entity alone and never asked for again; the few that are come back soon.
    private static let keptReferences = 500
    private static let referenceLifetime = Duration.seconds(600)

    init(_ client: OpenCTIClient, version: PlatformVersion?, time: any TimeSource) {
        self.client = client
        self.version = version
        self.time = time
    }

    // MARK: Questions

    func organization(named name: String, description: String) async throws -> String {
        let key = name.lowercased()
        if let known = organizations[key] { return known }
        let id = try await client.organization(named: name, description: description, on: version)
        if organizations.count >= Self.kept { organizations = [:] }
        organizations[key] = id
        return id
    }

    func stix(_ id: String) async throws -> JSONValue? { try await client.stix(id) }

    // MARK: Writes

    /// - Parameter entity: as it stands now: what is there already costs no call.
    func apply(_ writes: [DirectWrite], to entity: PlatformEntity, draft: String?) async throws {
        var patch: [EntityPatch] = []
        var attached: [String] = []
        for write in writes {
            switch write {
            case .addLabels(let wanted): patch += try await adding(wanted, to: entity)
            case .createLabels(let wanted): _ = try await ids(of: wanted)
            case .removeLabels(let values):
                let gone = Set(values.map { $0.lowercased() })
                let ids = entity.labels.filter { gone.contains($0.key.lowercased()) }.map(\.value).sorted()
                if !ids.isEmpty { patch.append(EntityPatch("objectLabel", ids, .remove)) }
            case .externalReference(let reference, let attaches):
                // One on the entity exists, so it need not be made again.
                if let url = reference.url, entity.references[url] != nil { continue }
                let id = try await self.reference(reference)
                if attaches { attached.append(id) }
            case .description(let text):
                guard entity.description != text else { continue }
                patch.append(EntityPatch(entity.isObservable ? "x_opencti_description" : "description", [text]))
            case .score(let score):
                guard entity.score != Int64(score) else { continue }
                patch.append(EntityPatch("x_opencti_score", [String(score)]))
            case .note(let note): try await client.addNote(Self.input(note, on: entity), draft: draft)
            }
        }
        if !attached.isEmpty { patch.append(EntityPatch("externalReferences", attached, .add)) }
        do {
            try await client.patch(entity, patch, draft: draft)
        } catch {
            // Somebody deleted a label or reference that we remember: the next try looks it up.
            if error.refusalCode?.family == .missing { (labels, references) = ([:], [:]) }
            throw error
        }
    }

    private func reference(_ reference: ExternalReference) async throws -> String {
        if let known = references[reference], known.until > time.uptime { return known.id }
        let id = try await client.addExternalReference(reference)
        if references.count >= Self.keptReferences { references = [:] }
        references[reference] = (id, time.uptime + Self.referenceLifetime)
        return id
    }

    private func adding(_ wanted: [PlatformLabel], to entity: PlatformEntity) async throws -> [EntityPatch] {
        let present = Set(entity.labels.keys.map { $0.lowercased() })
        let ids = try await ids(of: wanted.filter { !present.contains($0.value.lowercased()) })
        return ids.isEmpty ? [] : [EntityPatch("objectLabel", ids, .add)]
    }

    /// Internal ids, each once; what does not exist is created, what may not be is left out.
    private func ids(of wanted: [PlatformLabel]) async throws -> [String] {
        var missing: [PlatformLabel] = []
        for label in wanted {
            if !missing.contains(where: { $0.value.lowercased() == label.value.lowercased() }) { missing.append(label) }
        }
        guard !missing.isEmpty else { return [] }
        let unknown = missing.filter { labels[$0.value.lowercased()] == nil }
        if !unknown.isEmpty {
            if labels.count >= Self.kept { labels = [:] }
            // The platform keeps labels in lower case.
            let found = try await client.labels(unknown.map { $0.value.lowercased() }, on: version)
            for (value, id) in found { labels[value.lowercased()] = .some(id) }
        }
        var ids: [String] = []
        for label in missing {
            let key = label.value.lowercased()
            if let known = labels[key] {
                if let known { ids.append(known) }
                continue
            }
            if let id = try await created(label) { ids.append(id) }
        }
        return ids
    }

    /// `nil` when we may not create labels.
    private func created(_ label: PlatformLabel) async throws -> String? {
        let key = label.value.lowercased()
        do {
            let id = try await client.addLabel(label.value, color: label.color).id
            labels[key] = .some(id)
            return id
        } catch {
            guard error.refusalCode?.family == .permission else { throw error }
            labels[key] = .some(nil)
            return nil
        }
    }

    private static func input(_ note: PlatformNote, on entity: PlatformEntity) -> JSONObject {
        var input: JSONObject = [
            "stix_id": .string(note.id), "content": .string(note.content), "created": .string(note.created),
            "objects": [.string(entity.id)],
        ]
        if let abstract = note.abstract { input["attribute_abstract"] = .string(abstract) }
        if !note.types.isEmpty { input["note_types"] = .array(note.types.map(JSONValue.string)) }
        if let author = note.author { input["createdBy"] = .string(author) }
        if !note.markings.isEmpty { input["objectMarking"] = .array(note.markings.map(JSONValue.string)) }
        return input
    }
}
