// SPDX-License-Identifier: Apache-2.0

public import Base
public import JSON

/// A request as the platform writes it into the listen queue or posts it to the callback: 5.x, 6.x, 7.x and playbooks.
///
/// Source: OpenCTI protocol, 5.2.
public struct EnrichmentMessage: Sendable, Hashable {
    /// How bundles made for this message are to be checked by a person first.
    public enum Validation: String, Sendable, Hashable {
        case workbench
        case draft
    }

    public var entityID: String
    /// Absent in old 5.x and in playbooks.
    public var entityType: String?
    /// Absent in old 5.x and in playbooks.
    public var eventType: String?
    /// With OpenCTI's extensions; absent before 6.8.
    public var entity: JSONObject?
    /// `nil` when the platform sends none.
    public var objects: [JSONValue]?
    public var workID: String?
    public var applicantID: String?
    public var draftID: String?
    public var trigger: String?
    public var playbook: PlaybookStep?
    public var validation: Validation?
    public var forcesValidation: Bool
    public var configuration: JSONValue?

    /// - Throws: ``EnrichmentMessageError`` that says what is wrong, with the work's id where it could be read.
    public init(parsing body: [UInt8]) throws(EnrichmentMessageError) {
        guard let message = try? JSONValue(parsing: body), message.object != nil else {
            throw EnrichmentMessageError(workID: Self.workID(in: body), reason: "The message is no JSON object.")
        }
        let workID = message["internal"]?["work_id"]?.string
        func refuse(_ reason: String) -> EnrichmentMessageError {
            EnrichmentMessageError(workID: workID, reason: reason)
        }
        guard let event = message["event"]?.object else { throw refuse("The message has no event.") }
        guard let entityID = event["entity_id"]?.string, !entityID.isEmpty else {
            throw refuse("Internal enrichment must be based on a specific id: the message names no entity.")
        }
        self.entityID = entityID
        self.workID = workID
        entityType = event["entity_type"]?.string
        eventType = event["event_type"]?.string
        let details = message["internal"]
        applicantID = details?["applicant_id"]?.string
        draftID = details?["draft_id"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        trigger = details?["trigger"]?.string
        validation = event["validation_mode"]?.string.flatMap(Validation.init(rawValue:))
        forcesValidation = event["force_validation"]?.bool ?? false
        configuration = message["configuration"]
        if let step = details?["playbook"], !step.isNull {
            guard let bundle = event["bundle"], let objects = bundle["objects"]?.array else {
                throw refuse("The playbook's message has no bundle.")
            }
            guard let playbook = PlaybookStep(step, bundle: bundle) else {
                throw refuse("The playbook's message does not name its execution and step.")
            }
            guard let entity = objects.first(where: { $0["id"]?.string == entityID })?.object else {
                throw refuse("The playbook's bundle does not hold the entity \(entityID).")
            }
            self.playbook = playbook
            self.objects = objects
            self.entity = entity
        } else {
            // JSON texts inside the JSON; some forks send the values themselves.
            entity = try Self.embedded(event["stix_entity"], refuse)?.object
            objects = try Self.embedded(event["stix_objects"], refuse)?.array
            // The whole list came without the entity beside it: it is in there.
            if entity == nil { entity = objects?.first { $0["id"]?.string == entityID }?.object }
        }
    }

    private static func embedded(
        _ value: JSONValue?, _ refuse: (String) -> EnrichmentMessageError
    ) throws(EnrichmentMessageError) -> JSONValue? {
        guard let value, !value.isNull else { return nil }
        guard let text = value.string else { return value }
        if text.isEmpty { return nil }
        guard let parsed = try? JSONValue(parsing: text) else {
            throw refuse("The message's entity is no JSON text.")
        }
        return parsed
    }

    /// The work's id in a text that is no JSON or was cut: what ``body`` has between the quotes after `"work_id":`.
    public static func workID(in body: [UInt8]) -> String? {
        let text = String(decoding: body.prefix(4096), as: UTF8.self)
        guard let key = text.firstRange(of: "\"work_id\"") else { return nil }
        let rest = text[key.upperBound...].drop { $0 == ":" || $0.isWhitespace }
        guard rest.first == "\"" else { return nil }
        let id = rest.dropFirst().prefix { $0 != "\"" && $0 != "\\" }
        guard id.hasPrefix("work_"), id.count < 200, id.endIndex != rest.endIndex else { return nil }
        return String(id)
    }

    /// When the platform asked, as its work's id says: `work_<connector>_<ISO timestamp>`.
    public var asked: Instant? {
        guard let workID, let last = workID.lastIndex(of: "_") else { return nil }
        return Instant(parsing: String(workID[workID.index(after: last)...]))
    }
}

extension PlaybookStep {
    init?(_ json: JSONValue, bundle: JSONValue) {
        guard let execution = json["execution_id"]?.string, let playbook = json["playbook_id"]?.string,
            let instance = json["data_instance_id"]?.string, let step = json["step_id"]?.string,
            let previous = json["previous_step_id"]?.string
        else { return nil }
        self.init(
            eventID: json["event_id"]?.string, executionID: execution, playbookID: playbook, dataInstanceID: instance,
            stepID: step, previousStepID: previous, bundle: bundle)
    }
}

/// Why a message can't be worked on; the text goes into its work.
public struct EnrichmentMessageError: ActionableError {
    public var workID: String?
    public var reason: String

    public var code: ErrorCode { "opencti.bad_message" }
    public var isRetryable: Bool { false }
    public var description: String { reason }
}
