// SPDX-License-Identifier: Apache-2.0

/// A text that must not reach logs, errors, metrics, state or the command line.
///
/// Printing, interpolating or reflecting it gives `[redacted]`; only ``reveal()`` gives the text, so that every use can
/// be found by name.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let text: String

    public init(_ text: String) { self.text = text }

    public var isEmpty: Bool { text.isEmpty }
    public var description: String { "[redacted]" }
    public var debugDescription: String { "[redacted]" }
    public var customMirror: Mirror { Mirror(self, children: []) }

    public func reveal() -> String { text }
}
