// SPDX-License-Identifier: Apache-2.0

import Base

/// How far one consumer has been served with plain indicators. Frames are rendered into the consumer's own buffer.
///
/// The size of an event is that of the example in “OpenCTI protocol”, 4.4.
struct PlainCursor: Sendable {
    private let feed: PlainFeed
    private var left: Range<Int>
    private let isRecovery: Bool
    private var toldAuthor = false
    private var second = Int64.min
    private var secondText: [UInt8] = []
    private(set) var position = Position.beginning

    init(_ feed: PlainFeed, _ parameters: StreamParameters, refusesRecovery: Bool) {
        self.feed = feed
        let isRecovery = parameters.recovers && !refusesRecovery
        self.isRecovery = isRecovery
        // A recovery includes its start; live events come after it.
        let first = parameters.start.map { isRecovery ? $0.milliseconds : $0.milliseconds + 1 }
        left = feed.numbers(from: first ?? .max, to: .max)
    }

    /// Appends frames until `limit` bytes are there. `false` when there are none left.
    mutating func append(to bytes: inout [UInt8], limit: Int, ends: inout [Int]) -> Bool {
        guard !left.isEmpty else { return false }
        ends.reserveCapacity((limit - bytes.count) / 1_200 + 4)
        bytes.reserveCapacity(limit + 4_096)
        while bytes.count < limit, let number = left.popFirst() {
            let milliseconds = PlainFeed.milliseconds(number)
            position = Position(milliseconds: milliseconds)
            if !toldAuthor {
                toldAuthor = true
                for dependency in CommonObjects.authorAndMarking {
                    Frame.append(
                        id: position, event: "create", .dependency(dependency.message), dependency.object, to: &bytes)
                    ends.append(bytes.count)
                }
            }
            appendFrame(number, milliseconds, to: &bytes)
            ends.append(bytes.count)
        }
        return true
    }

    private mutating func appendFrame(_ number: Int, _ milliseconds: Int64, to bytes: inout [UInt8]) {
        let kind = PlainFeed.kind(number)
        bytes.append("id: ")
        bytes.append(decimal: UInt64(milliseconds))
        bytes.append("-0\nevent: create\ndata: {\"version\":\"4\",")
        if !isRecovery { bytes.append("\"type\":\"create\",\"scope\":\"external\",") }
        bytes.append("\"message\":\"creates a Indicator `")
        feed.appendValue(number, to: &bytes)
        bytes.append(isRecovery ? "`\",\"origin\":{\"referer\":\"init-create\"}" : Self.liveOrigin)
        bytes.append(",\"data\":{\"id\":\"indicator--")
        feed.appendID(number, of: 8, to: &bytes)
        bytes.append(
            "\",\"spec_version\":\"2.1\",\"type\":\"indicator\",\"created\":\"2025-01-02T03:04:05.000Z\",\"modified\":\""
        )
        appendDate(milliseconds, to: &bytes)
        bytes.append(
            "\",\"revoked\":false,\"confidence\":85,\"lang\":\"en\",\"labels\":[\"c2\"],\"object_marking_refs\":[\"")
        bytes.append(CommonObjects.markingID)
        bytes.append("\"],\"created_by_ref\":\"")
        bytes.append(CommonObjects.authorID)
        bytes.append(
            "\",\"external_references\":[{\"source_name\":\"Example feed\",\"url\":\"https://feed.example.com/1\"}],\"name\":\""
        )
        feed.appendValue(number, to: &bytes)
        bytes.append("\",\"description\":\"C2 server\",\"indicator_types\":[\"malicious-activity\"],\"pattern\":\"[")
        bytes.append(kind.path)
        bytes.append(" = '")
        feed.appendValue(number, to: &bytes)
        bytes.append(
            "']\",\"pattern_type\":\"stix\",\"pattern_version\":\"2.1\",\"valid_from\":\"2025-01-02T03:04:05.000Z\",\"valid_until\":\"2030-01-02T03:04:05.000Z\",\"kill_chain_phases\":[{\"kill_chain_name\":\"mitre-attack\",\"phase_name\":\"command-and-control\"}],\"extensions\":{\"extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba\":{\"extension_type\":\"property-extension\",\"id\":\""
        )
        feed.appendID(number, of: 10, to: &bytes)
        bytes.append("\",\"type\":\"Indicator\",\"created_at\":\"")
        appendDate(milliseconds, to: &bytes)
        bytes.append("\",\"updated_at\":\"")
        appendDate(milliseconds, to: &bytes)
        bytes.append(
            "\",\"is_inferred\":false,\"creator_ids\":[\"88ec0c6a-13ce-5e39-b486-354fe4a7084f\"],\"labels_ids\":[\"5a0d6f0e-1c1b-4f0b-8f7e-9f3f5d6a7b8c\"],\"detection\":true,\"score\":"
        )
        bytes.append(decimal: UInt64(PlainFeed.score(number)))
        bytes.append(",\"main_observable_type\":\"")
        bytes.append(kind.observable)
        bytes.append(
            "\"},\"extension-definition--322b8f77-262a-4cb8-a915-1e441e00329b\":{\"extension_type\":\"property-extension\"}}}"
        )
        if !isRecovery {
            bytes.append(",\"event_id\":\"")
            bytes.append(decimal: UInt64(milliseconds))
            bytes.append("-0\"")
        }
        bytes.append("}\n\n")
    }

    private static let liveOrigin: StaticString =
        "`\",\"origin\":{\"socket\":\"query\",\"ip\":\"::ffff:10.0.0.5\",\"user_id\":\"88ec0c6a-13ce-5e39-b486-354fe4a7084f\",\"group_ids\":[],\"organization_ids\":[],\"user_metadata\":{}}"

    private mutating func appendDate(_ milliseconds: Int64, to bytes: inout [UInt8]) {
        if milliseconds / 1000 != second {
            second = milliseconds / 1000
            secondText = Array(Instant(milliseconds: second * 1000).description.utf8.prefix(20))
        }
        bytes.append(contentsOf: secondText)
        let fraction = UInt8(milliseconds % 1000 / 10)
        bytes.append(UInt8(ascii: "0") + fraction / 10)
        bytes.append(UInt8(ascii: "0") + fraction % 10)
        bytes.append("0Z")
    }
}
