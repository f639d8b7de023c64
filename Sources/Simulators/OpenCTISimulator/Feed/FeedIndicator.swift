// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

/// An indicator as the feed wishes it, and as the platform shows it.
struct FeedIndicator: Sendable {
    enum Language: String, Sendable {
        case stix, sigma, yara
    }
    /// A score and the severity that it means, chosen together.
    struct Score: Sendable {
        let severity: String
        /// `nil`: the indicator has no score.
        let value: JSONValue?
    }

    /// The platform's internal id.
    let id: String
    var stixID: String
    var name: String
    var language = Language.stix
    var pattern: FeedPattern
    /// The pattern cannot be read.
    var isBroken = false
    var score: Score
    var labels: [String]
    var description: String?
    /// As spelled, with the target's platforms that follow; `nil` for all.
    var platforms: (spelled: [String], meant: [String])?
    /// RFC 3339; `nil` without end.
    var validUntil: String?
    var isRevoked = false
    var created: Int64

    /// Whether it is to be blocked by what it says.
    var isLive: Bool { !isRevoked && validUntil != Self.past }

    /// Before any run of this simulator.
    static let past = "2021-03-04T05:06:07.000Z"

    /// The STIX object with OpenCTI's extensions. Source: OpenCTI protocol, 4.4.
    func object(updated: Int64, author: String, marking: String) -> [UInt8] {
        let modified = Instant(milliseconds: updated).description
        let created = Instant(milliseconds: created).description
        var writer = JSONWriter(reserving: 1_600)
        writer.beginObject()
        writer.member("id", stixID)
        writer.member("spec_version", "2.1")
        writer.member("type", "indicator")
        writer.member("created", created)
        writer.member("modified", modified)
        writer.key("revoked")
        writer.bool(isRevoked)
        writer.key("confidence")
        writer.int(85)
        writer.member("lang", "en")
        if !labels.isEmpty { writer.members("labels", labels) }
        writer.members("object_marking_refs", [marking])
        writer.member("created_by_ref", author)
        writer.member("name", name)
        if let description { writer.member("description", description) }
        writer.members("indicator_types", ["malicious-activity"])
        writer.member("pattern", pattern.text)
        writer.member("pattern_type", language.rawValue)
        writer.member("pattern_version", "2.1")
        writer.member("valid_from", created)
        if let validUntil { writer.member("valid_until", validUntil) }
        writer.key("extensions")
        writer.beginObject()
        writer.key(Platform.octi)
        writer.beginObject()
        writer.member("extension_type", "property-extension")
        writer.member("id", id)
        writer.member("type", "Indicator")
        writer.member("created_at", created)
        writer.member("updated_at", modified)
        writer.key("is_inferred")
        writer.bool(false)
        writer.key("detection")
        writer.bool(!isRevoked)
        if let value = score.value {
            writer.key("score")
            writer.value(value)
        }
        writer.member("main_observable_type", "Unknown")
        writer.endObject()
        writer.key("extension-definition--322b8f77-262a-4cb8-a915-1e441e00329b")
        writer.beginObject()
        writer.member("extension_type", "property-extension")
        if let platforms { writer.members("platforms", platforms.spelled) }
        writer.endObject()
        writer.endObject()
        writer.endObject()
        return writer.bytes
    }

    /// What an IOC of it shows at the target.
    var contribution: ExpectedIOC {
        ExpectedIOC(
            severity: score.severity, tags: Array(Set(labels)).sorted(),
            platforms: (platforms?.meant ?? ["windows", "mac", "linux"]).sorted(),
            expiration: validUntil == Self.past ? .unchanged : .moment(validUntil), description: description)
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ key: StaticString, _ text: String) {
        self.key(key)
        string(text)
    }

    fileprivate mutating func members(_ key: StaticString, _ texts: [String]) {
        self.key(key)
        beginArray()
        for text in texts { string(text) }
        endArray()
    }
}
