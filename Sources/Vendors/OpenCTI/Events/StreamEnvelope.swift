// SPDX-License-Identifier: Apache-2.0

public import Base
public import JSON

/// The JSON of one stream event, read where it lies: nothing is copied until it is asked for.
///
/// Valid only inside ``JSONParser/withDocument(_:padding:_:)``. What happened is told by ``StreamFrame/kind``, never by
/// the `type` in here.
public struct StreamEnvelope {
    /// Why an event cannot be read: it becomes a dead letter, and the stream goes on.
    public enum Malformed: ActionableError, Hashable {
        case notAnObject
        /// `data` is missing or no object.
        case noData
        /// `data` has no text of this name, without which nothing can be done.
        case missing(String)

        public var code: ErrorCode { "opencti.event" }
        public var isRetryable: Bool { false }
        public var description: String {
            switch self {
            case .notAnObject: "The event is no JSON object. It is kept aside and the stream goes on."
            case .noData: "The event has no `data` object. It is kept aside and the stream goes on."
            case .missing(let name): "The event's object has no `\(name)`. It is kept aside and the stream goes on."
            }
        }
    }

    public let root: JSONElement
    /// The STIX object: as it is now, and for a deletion as it last was.
    public let object: JSONElement

    public init(_ root: JSONElement) throws(Malformed) {
        guard root.kind == .object else { throw .notAnObject }
        guard let object = root["data"], object.kind == .object else { throw .noData }
        self.root = root
        self.object = object
    }

    public var isIndicator: Bool { object["type"]?.equals("indicator") ?? false }

    /// `data.type`: `indicator`, `identity`, `ipv4-addr`, …
    public var objectType: String? { object["type"]?.string }

    public var stixID: String? { object["id"]?.string }

    /// The platform's internal id; the STIX id where the extension is missing.
    ///
    /// The STIX id of an indicator is derived from its pattern and changes with it, this one stays.
    public var stableID: String? { object.octiAttribute("id")?.string }

    /// Why the platform sent it, for events that nobody caused.
    public enum Origin: Sendable, Hashable {
        /// Somebody did something.
        case live
        /// Replayed from the database.
        case recovery
        /// Sent ahead because the next element refers to it.
        case dependency
    }

    public var origin: Origin {
        guard let referer = root["origin"]?["referer"] else { return .live }
        if referer.equals("init-create") { return .recovery }
        return referer.equals("init-dependencies") ? .dependency : .live
    }
}
