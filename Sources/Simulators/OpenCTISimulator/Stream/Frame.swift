// SPDX-License-Identifier: Apache-2.0

/// Frames of the event stream: `id`, `event`, `data` in one line, a blank line. Source: OpenCTI protocol, 4.3.
enum Frame {
    /// What stands between `data: ` and the STIX object, and behind it.
    struct Envelope: Sendable {
        let head: [UInt8]
        let tail: [UInt8]

        init(_ head: String, _ tail: String = "}") {
            self.head = Array(head.utf8)
            self.tail = Array(tail.utf8)
        }

        /// A replay of the database; such events have neither `type` nor `scope` nor `event_id` (4.4).
        static func recovery(_ message: String) -> Envelope { synthetic(message, "init-create") }
        static func dependency(_ message: String) -> Envelope { synthetic(message, "init-dependencies") }

        private static func synthetic(_ message: String, _ referer: String) -> Envelope {
            Envelope("{\"version\":\"4\",\"message\":\(message),\"origin\":{\"referer\":\"\(referer)\"},\"data\":")
        }
    }

    static func append(
        id: Position?, event: String, data: (inout [UInt8]) -> Void, to bytes: inout [UInt8]
    ) {
        if let id {
            bytes.append(utf8: "id: ")
            bytes.append(utf8: id.description)
            bytes.append(utf8: "\n")
        }
        bytes.append(utf8: "event: ")
        bytes.append(utf8: event)
        bytes.append(utf8: "\ndata: ")
        data(&bytes)
        bytes.append(utf8: "\n\n")
    }

    static func append(id: Position?, event: String, text: String, to bytes: inout [UInt8]) {
        append(id: id, event: event, data: { $0.append(utf8: text) }, to: &bytes)
    }

    static func append(id: Position, event: String, _ envelope: Envelope, _ object: [UInt8], to bytes: inout [UInt8]) {
        append(
            id: id, event: event,
            data: {
                $0.append(contentsOf: envelope.head)
                $0.append(contentsOf: object)
                $0.append(contentsOf: envelope.tail)
            }, to: &bytes)
    }
}

extension [UInt8] {
    mutating func append(utf8 text: String) { append(contentsOf: text.utf8) }
}
