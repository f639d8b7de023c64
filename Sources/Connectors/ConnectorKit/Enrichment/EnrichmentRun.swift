// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import JSON
import OpenCTI
import STIX

/// One request that could be read: from the entity to the report. Source: OpenCTI protocol, 5.3.
struct EnrichmentRun: Sendable {
    let worker: EnrichmentWorker
    let message: EnrichmentMessage
    let patience: Patience
    /// An earlier try may have come some way.
    let mayBeRepeated: Bool
    let received: Instant
    /// The request's own time: when the platform asked a moment ago, else when we first heard of it.
    let time: Instant
    let digest: Digest128

    /// - Returns: the outcome, and how many objects were sent.
    func run() async throws -> (Outcome, records: Int) {
        let (client, works) = (worker.client, worker.works)
        // At the same time: neither waits for the other's answer.
        async let isReceived: Void = patience {
            try await works.received(message.workID, "Connector ready to process the operation")
        }
        async let found = patience { try await client.entity(message.entityID, draft: message.draftID) }
        guard let entity = try await found else {
            _ = try? await isReceived
            return try await refuse(
                "opencti.no_entity",
                "Unable to read/access the entity, please check the connector permissions (\(message.entityID))")
        }
        try await isReceived
        guard let request = try await request(for: entity) else {
            return try await refuse("opencti.no_entity", "The platform gives no STIX form of \(message.entityID).")
        }
        if message.playbook == nil, !worker.scope.isEmpty, !worker.scope.contains(request.entityType.lowercased()) {
            return try await skip(
                "Nothing to do: \(request.entityType) is not in the scope of this connector.")
        }
        let handler = worker.handler
        let writer = worker.writer
        switch try await patience({ try await handler.enrich(request, on: writer) }) {
        case .skipped(let text): return try await skip(text)
        case .refused(let code, let text): return try await refuse(code, text)
        case .enriched(let effects, let text): return try await apply(effects, text, request, entity)
        }
    }

    // MARK: The request

    private func request(for entity: PlatformEntity) async throws -> EnrichmentRequest? {
        let client = worker.client
        var members = message.entity
        if members == nil {
            members = try await patience { try await client.stix(message.entityID) }?.object
        }
        guard let members, let object = STIXObject(members) else { return nil }
        let fresh = Self.refreshed(object, as: entity)
        var objects = (message.objects ?? []).compactMap { $0.object.flatMap { STIXObject($0) } }
        if let index = objects.firstIndex(where: { $0.id == fresh.id }) {
            objects[index] = fresh
        } else {
            objects.insert(fresh, at: 0)
        }
        return EnrichmentRequest(
            entityID: message.entityID, entityType: entity.type, entity: fresh, objects: objects,
            markings: entity.markings.map {
                Marking(standardID: $0.standardID, type: $0.type, definition: $0.definition)
            },
            workID: message.workID, playbook: message.playbook, applicantID: message.applicantID,
            draftID: message.draftID, trigger: message.trigger, isFresh: true, time: time,
            configuration: message.configuration)
    }

    /// The message may have waited: of what changes between two enrichments, the platform's word of now counts.
    static func refreshed(_ object: STIXObject, as entity: PlatformEntity) -> STIXObject {
        guard entity.isObservable else { return object }
        var object = object
        let description = entity.description.map(JSONValue.string)
        let score = entity.score.map { JSONValue.int($0) }
        // Absent rather than empty, as the platform's own export has it: the object goes back as it came.
        var labels: JSONValue?
        if !entity.labels.isEmpty { labels = .array(entity.labels.keys.sorted().map(JSONValue.string)) }
        if var extensions = object["extensions"]?.object,
            var observable = extensions[EntityAttributes.observable]?.object
        {
            observable["description"] = description
            observable["score"] = score
            observable["labels"] = labels
            extensions[EntityAttributes.observable] = .object(observable)
            object["extensions"] = .object(extensions)
        } else {
            object["x_opencti_description"] = description
            object["x_opencti_score"] = score
            object["x_opencti_labels"] = labels
        }
        return object
    }

    // MARK: The end

    private func apply(
        _ effects: EnrichmentEffects, _ text: String, _ request: EnrichmentRequest, _ entity: PlatformEntity
    ) async throws -> (Outcome, records: Int) {
        let (writer, push, handler) = (worker.writer, worker.push, worker.handler)
        try await patience { try await writer.apply(effects.writes, to: entity, draft: message.draftID) }
        if message.playbook != nil {
            try await answerPlaybook(adding: effects.objects, sharedWith: EntityAttributes(request.entity).grantedRefs)
        } else {
            let envelope = BundleEnvelope(
                applicantID: message.applicantID ?? worker.userID, workID: message.workID, draftID: message.draftID,
                updates: effects.updatesExisting)
            let result = try await patience {
                try await push.send(
                    effects.objects, bundleID: bundleID, envelope,
                    sharedWith: EntityAttributes(request.entity).grantedRefs,
                    mustValidate: message.forcesValidation, validation: message.validation, entity: entity.id,
                    mayBeRepeated: mayBeRepeated)
            }
            if result == .workGone { return (.skipped, 0) }
        }
        try await patience { try await handler.applied(effects, to: request) }
        try await report(text)
        return (.delivered, effects.objects.count)
    }

    /// The same for each try: the platform merges what came twice.
    private var bundleID: String {
        let uuid = Digest128(
            high: digest.high & ~0xF000 | 0x4000, low: digest.low & ~(0b11 << 62) | 0b10 << 62)
        return "bundle--" + uuid.uuidDescription
    }

    private func skip(_ text: String) async throws -> (Outcome, records: Int) {
        if message.playbook != nil { try await answerPlaybook(adding: [], sharedWith: []) }
        try await report(text)
        return (.skipped, 0)
    }

    /// A playbook goes on with what it had: its run would stop here otherwise.
    private func refuse(_ code: ErrorCode, _ text: String) async throws -> (Outcome, records: Int) {
        worker.events.refused(code, text, work: message.workID)
        if message.playbook != nil { try await answerPlaybook(adding: [], sharedWith: []) }
        try await report(text, isError: true)
        return (.skipped, 0)
    }

    private func report(_ text: String, isError: Bool = false) async throws {
        let works = worker.works
        try await patience { try await works.processed(message.workID, text, isError: isError) }
    }

    /// The playbook's own objects stay where they are; ours of the same id take their place, new ones follow.
    private func answerPlaybook(adding objects: [STIXObject], sharedWith: [String]) async throws {
        guard let playbook = message.playbook else { return }
        var bundle = playbook.bundle.object ?? [:]
        var values = bundle["objects"]?.array ?? []
        for object in objects {
            let value = JSONValue.object(OrganizationSharing.sharing(object.members, with: sharedWith))
            if let index = values.firstIndex(where: { $0["id"]?.string == object.id }) {
                values[index] = value
            } else {
                values.append(value)
            }
        }
        bundle["objects"] = .array(values)
        let answer = JSONValue.object(bundle)
        let (client, version) = (worker.client, worker.version)
        try await patience { try await client.answer(playbook, bundle: answer, start: received, on: version) }
    }
}
