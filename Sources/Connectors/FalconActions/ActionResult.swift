// SPDX-License-Identifier: Apache-2.0

public import Base
public import Falcon
public import JSON

/// What an action did: the API's own result, and what of it failed.
public struct ActionResult: Sendable {
    public var resources: [JSONValue] = []
    /// One entry for each id, value or part that failed while others did not.
    public var errors: [FalconMessage] = []
    /// Changed entities, where the API only counts them.
    public var affected: Int64?
    /// Ids of IOCs that were removed.
    public var deleted: [String]?
    /// Inputs that were not sent, with the reason.
    public var skipped: [Skipped]?
    /// Where a search goes on.
    public var after: String?
    public var offset: String?
    public var total: Int64?
    /// What would have been sent, of a rehearsal.
    public var rehearsed: [RehearsedCall]?

    public struct Skipped: Sendable, Hashable {
        /// The STIX id.
        public var id: String
        public var value: String
        public var reason: String
    }

    public init() {}

    init(_ answer: FalconAnswer) {
        resources = answer.resources
        errors = answer.errors
        affected = answer.affected
    }

    mutating func merge(_ answer: FalconAnswer) {
        resources += answer.resources
        errors += answer.errors
        if let more = answer.affected { affected = (affected ?? 0) + more }
    }

    /// `{"resources": […], "errors": […]?, …}`; what is not there is left out.
    public var json: JSONValue {
        var object: JSONObject = ["resources": .array(resources)]
        if !errors.isEmpty {
            object["errors"] = .array(
                errors.map { error in
                    var entry: JSONObject = ["code": .int(error.code), "message": .string(error.message)]
                    if let id = error.id { entry["id"] = .string(id) }
                    return .object(entry)
                })
        }
        if let affected { object["resources_affected"] = .int(affected) }
        if let deleted { object["deleted"] = .array(deleted.map { .string($0) }) }
        if let skipped {
            object["skipped"] = .array(
                skipped.map { ["id": .string($0.id), "value": .string($0.value), "reason": .string($0.reason)] })
        }
        if let after { object["after"] = .string(after) }
        if let offset { object["offset"] = .string(offset) }
        if let total { object["total"] = .int(total) }
        if let rehearsed {
            object["dry_run"] = true
            object["would_send"] = .array(rehearsed.map(\.json))
        }
        return .object(object)
    }

    /// A sentence about what failed; `nil` when nothing did.
    public var failure: String? {
        guard let first = errors.first else { return nil }
        let about = first.id.map { "\($0): " } ?? ""
        let more = errors.count > 1 ? " (and \(errors.count - 1) more)" : ""
        return "Falcon refused a part: \(about)\(first.message) (\(first.code))\(more)"
    }
}

/// Why an action was not done at all.
public enum ActionError: ActionableError {
    case unknown(String)
    /// In the original's words where it has some.
    case arguments(String)
    case input(name: String, reason: String)
    /// The call may have been done all the same, and doing it again would do it twice.
    case outcomeUnknown(String)

    public var code: ErrorCode {
        switch self {
        case .unknown: "action.unknown"
        case .arguments: "action.arguments"
        case .input: "action.input"
        case .outcomeUnknown: "action.outcome_unknown"
        }
    }
    public var isRetryable: Bool { false }
    public var description: String {
        switch self {
        case .unknown(let name): "There is no action “\(name)”. `sallyport action --help` lists them."
        case .arguments(let text): text
        case .input(let name, let reason): "\(name) can't be used: \(reason)."
        case .outcomeUnknown(let reason):
            "It is not known whether Falcon did it: \(reason) Look there before you repeat it."
        }
    }
}
