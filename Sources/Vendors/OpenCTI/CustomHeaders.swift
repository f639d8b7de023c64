// SPDX-License-Identifier: Apache-2.0

public import HTTPClient

/// The headers of `OPENCTI_CUSTOM_HEADERS`: `Name1:value1;Name2:value2`.
///
/// Split at `;`, then at the first `:`, both sides trimmed. They go with GraphQL and with the live stream (pycti leaves
/// them out there, so that streams behind an authenticating proxy fail). Source: OpenCTI protocol, 1.1.
public struct CustomHeaders: Sendable, Hashable {
    public let headers: HTTPHeaders
    /// Pairs that are no header, to be warned of; the position counts from 1. Their text may be a secret and is not kept.
    public let malformed: [Int]

    public init(parsing text: String) {
        var headers = HTTPHeaders()
        var malformed: [Int] = []
        for (index, pair) in text.split(separator: ";", omittingEmptySubsequences: false).enumerated() {
            if String(pair).trimmingBlanks().isEmpty { continue }
            let parts = pair.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0]).trimmingBlanks()
            let value = parts.count == 2 ? String(parts[1]).trimmingBlanks() : ""
            guard parts.count == 2, Self.isName(name), Self.isValue(value) else {
                malformed.append(index + 1)
                continue
            }
            headers.append(name, value)
        }
        self.headers = headers
        self.malformed = malformed
    }

    private static func isName(_ name: String) -> Bool {
        let symbols = Set("!#$%&'*+-.^_`|~".utf8)
        return !name.isEmpty
            && name.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || symbols.contains(byte)
            }
    }

    private static func isValue(_ value: String) -> Bool {
        !value.isEmpty && value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }
}
