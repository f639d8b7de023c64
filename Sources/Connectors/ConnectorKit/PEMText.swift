// SPDX-License-Identifier: Apache-2.0

import Base
import Engine

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
        do throws(FileReadError) {
            return String(decoding: try readFile(text, atMost: maxBytes), as: UTF8.self)
        } catch {
            throw ConnectorError.configuration(setting: setting, reason: "\(text) can't be read: \(error)")
        }
    }
}
