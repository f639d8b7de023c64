// SPDX-License-Identifier: Apache-2.0

public import Base
public import JSON

/// One indicator's event, with the fields that connectors translate. A view like ``StreamEnvelope``: texts are copied
/// when asked for, or lent as bytes.
///
/// Nothing is judged here: a missing score, an unknown platform or a label that is no text is the connector's to decide.
public struct IndicatorEvent {
    public let envelope: StreamEnvelope
    private var object: JSONElement { envelope.object }

    /// - Returns: `nil` when the event is about something else.
    /// - Throws: ``StreamEnvelope/Malformed`` for an indicator without the members that the original, too, cannot do
    ///   without: `pattern_type`, and for pattern type `stix` a `pattern`; and without any id.
    public init?(_ envelope: StreamEnvelope) throws(StreamEnvelope.Malformed) {
        guard envelope.isIndicator else { return nil }
        self.envelope = envelope
        guard let type = envelope.object["pattern_type"], type.kind == .string else { throw .missing("pattern_type") }
        guard !isSTIXPattern || envelope.object["pattern"]?.kind == .string else { throw .missing("pattern") }
        guard envelope.object.octiAttribute("id")?.kind == .string else { throw .missing("id") }
    }

    /// Whether the pattern is written in STIX, not in YARA, Sigma or another language.
    public var isSTIXPattern: Bool { object["pattern_type"]?.equals("stix") ?? false }
    public var patternType: String { object["pattern_type"]?.string ?? "" }
    public var pattern: String { object["pattern"]?.string ?? "" }
    /// Lends the pattern's bytes.
    public func withPattern<Result>(_ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows -> Result? {
        try object["pattern"]?.withUTF8(body)
    }

    /// The key of everything kept about this indicator.
    public var stableID: String { envelope.stableID ?? "" }
    public func withStableID<Result>(_ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows -> Result? {
        try object.octiAttribute("id")?.withUTF8(body)
    }
    public var stixID: String { envelope.stixID ?? "" }

    /// As found: a number, a text, null; `nil` when absent everywhere.
    public var score: JSONElement? { object.octiAttribute("score") }

    public var name: String? { text("name") }
    public var description: String? { text("description") }
    /// Lends the bytes of a text member of the object itself.
    public func withText<Result>(
        _ key: StaticString, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
    ) rethrows -> Result? {
        try object[key]?.withUTF8(body)
    }

    public var isRevoked: Bool { object["revoked"]?.bool ?? false }
    /// Whether the indicator is meant for detection; absent in old versions.
    public var isForDetection: Bool? { object.octiAttribute("detection")?.bool }

    /// `nil` when absent or no date: an indicator without end.
    public var validUntil: Instant? { instant("valid_until") }
    public var validFrom: Instant? { instant("valid_from") }
    public var created: Instant? { instant("created") }
    public var modified: Instant? { instant("modified") }
    /// The platform's own clock, from the extension.
    public var updatedAt: Instant? {
        object.octiAttribute("updated_at")?.withUTF8 { Instant(parsing: $0) } ?? nil
    }

    /// Whether the object has labels at all; without them a tag list is left as it is by some targets.
    public var hasLabels: Bool { object["labels"]?.kind == .array }
    /// Label names; elements that are no text are left out.
    public var labels: [String] { object["labels"]?.texts ?? [] }
    /// `x_mitre_platforms`, as spelled on the platform.
    public var platforms: [String]? {
        guard let list = object.mitreAttribute("platforms"), list.kind == .array else { return nil }
        return list.texts
    }
    public var markings: [String] { object["object_marking_refs"]?.texts ?? [] }

    /// Pattern and STIX id before an update that changed the pattern; `nil` when this event changed neither.
    ///
    /// - Throws: ``JSONPatch/Failure`` when the reverse patch does not fit the object.
    public func previous() throws(JSONPatch.Failure) -> (pattern: String, stixID: String)? {
        guard let patch = envelope.root["context"]?["reverse_patch"], patch.kind == .array else { return nil }
        var pattern: String?
        var stixID: String?
        var isSimple = true
        patch.forEachElement { operation in
            let path = operation["path"]
            let replaced = operation["op"]?.equals("replace") ?? false ? operation["value"]?.string : nil
            if path?.equals("/pattern") ?? false, let replaced {
                pattern = replaced
            } else if path?.equals("/id") ?? false, let replaced {
                stixID = replaced
            } else if operation.touches("/pattern") || operation.touches("/id") {
                isSimple = false
            }
        }
        if isSimple {
            if pattern == nil, stixID == nil { return nil }
            return (pattern ?? self.pattern, stixID ?? self.stixID)
        }
        let before = try JSONPatch.apply(patch.value.array ?? [], to: object.value)
        return (before["pattern"]?.string ?? "", before["id"]?.string ?? self.stixID)
    }

    private func text(_ key: StaticString) -> String? { object[key]?.string }

    private func instant(_ key: StaticString) -> Instant? {
        object[key]?.withUTF8 { Instant(parsing: $0) } ?? nil
    }
}

extension JSONElement {
    fileprivate var texts: [String] {
        var texts: [String] = []
        forEachElement { if let text = $0.string { texts.append(text) } }
        return texts
    }

    /// Whether a patch operation may change the top-level member `pointer`: the whole document, the member, or something
    /// beyond our simple reading.
    fileprivate func touches(_ pointer: StaticString) -> Bool {
        // Only `move` takes away from its source.
        let isMove = self["op"]?.equals("move") ?? false
        for key in isMove ? ["path", "from"] as [StaticString] : ["path"] {
            let hits = self[key]?.withUTF8 { path in path.isEmpty || path.equals(pointer) }
            if hits ?? true { return true }
        }
        return false
    }
}
