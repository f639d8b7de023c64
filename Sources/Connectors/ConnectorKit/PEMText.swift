// SPDX-License-Identifier: Apache-2.0

import Engine

#if canImport(Glibc)
    import Glibc
#endif

/// Certificates and keys of settings that take a text or a path. Source: OpenCTI protocol, 2.2.
enum PEMText {
    private static let maxBytes = 1 << 20

    /// The PEM text as it is, anything else as a path; `nil` where there is neither.
    ///
    /// - Parameter setting: its key, for the error.
    /// - Throws: ``ConnectorError/configuration(setting:reason:)`` for a file that can't be read.
    static func read(_ text: String?, _ setting: String) throws -> String? {
        guard let text, !text.isEmpty else { return nil }
        if text.contains("-----BEGIN") { return text.replacing("\\n", with: "\n") }
        guard let file = fopen(text, "r") else {
            throw ConnectorError.configuration(
                setting: setting, reason: "\(text) can't be read: \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while bytes.count < maxBytes {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
