// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import OpenCTI

/// An indicator as far as rules depend on it, from the stream or from the platform.
struct IndicatorFacts: Sendable {
    var stixID: String
    /// The platform's internal id; the STIX id where the stream has none.
    var internalID: String
    var name = ""
    var description = ""
    var pattern = ""
    var patternType = ""
    var score = JSONValue.null
    var platforms: [String] = []
    var isRevoked = false
    var validUntil: Instant?
    var observables: [IndicatorRecord.LinkedObservable] = []

    init(stixID: String, internalID: String) {
        self.stixID = stixID
        self.internalID = internalID
    }

    /// As it stood in the event.
    init(_ event: IndicatorEvent) {
        self.init(stixID: event.stixID, internalID: event.stableID)
        name = event.name ?? ""
        description = event.description ?? ""
        pattern = event.pattern
        patternType = event.patternType
        score = event.score?.value ?? .null
        platforms = event.platforms ?? []
        isRevoked = event.isRevoked
        validUntil = event.validUntil
    }

    /// As the platform has it now.
    init(_ record: IndicatorRecord) {
        self.init(stixID: record.stixID, internalID: record.id)
        name = record.name ?? ""
        description = record.description ?? ""
        pattern = record.pattern
        patternType = record.patternType ?? ""
        score = record.score ?? .null
        platforms = record.platforms
        isRevoked = record.isRevoked
        validUntil = record.validUntil
        observables = record.observables
    }
}

/// What a stream event asks for, before the platform has been read.
struct Draft: Sendable {
    enum Action: Sendable {
        case upsert
        case remove
        /// One observable is no longer linked: its value by its type.
        case unlink(IndicatorRecord.LinkedObservable)
    }
    var action: Action
    /// By which the platform is asked.
    var stixID: String
    /// From the event; `nil` for a relationship, which says nothing of the indicator.
    var event: IndicatorFacts?
    /// Before an edit, as the event's reverse patch tells; `nil` where it was not changed.
    var formerPattern: String?
    var formerName: String?
    var formerID: String?
}
