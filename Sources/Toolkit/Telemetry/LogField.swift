// SPDX-License-Identifier: Apache-2.0

public import Base

/// One named value of a log line: `.field("stream.position", position)`.
///
/// Names are lower-case words joined by dots; units are in the type (``Value/duration(_:)``) or in the name (`bytes`).
/// A ``Base/Secret`` becomes `[redacted]` whatever the caller does.
public struct LogField: Sendable, Hashable {
    public enum Value: Sendable, Hashable {
        case string(String)
        case int(Int64)
        case double(Double)
        case bool(Bool)
        /// Written as seconds: `1.25s` for people, the number `1.25` in JSON.
        case duration(Duration)
        /// A failure: `error` holds the text, `error.code` the stable name if it has one.
        case failure(code: String?, text: String)
    }

    let nameText: StaticName
    public let value: Value

    public var name: StaticString { nameText.text }

    public init(_ name: StaticString, _ value: Value) {
        nameText = StaticName(name)
        self.value = value
    }

    public static func field(_ name: StaticString, _ value: String) -> LogField { LogField(name, .string(value)) }
    public static func field(_ name: StaticString, _ value: Substring) -> LogField {
        LogField(name, .string(String(value)))
    }
    public static func field(_ name: StaticString, _ value: some BinaryInteger) -> LogField {
        LogField(name, .int(Int64(clamping: value)))
    }
    public static func field(_ name: StaticString, _ value: Double) -> LogField { LogField(name, .double(value)) }
    public static func field(_ name: StaticString, _ value: Bool) -> LogField { LogField(name, .bool(value)) }
    public static func field(_ name: StaticString, _ value: Duration) -> LogField { LogField(name, .duration(value)) }
    public static func field(_ name: StaticString, _ value: Instant) -> LogField {
        LogField(name, .string(value.description))
    }
    public static func field(_ name: StaticString, _ value: ErrorCode) -> LogField {
        LogField(name, .string(value.text))
    }
    public static func field(_ name: StaticString, _ value: Secret) -> LogField {
        LogField(name, .string(value.description))
    }

    /// The failure a line tells of: the fields `error` and `error.code`.
    public static func cause(_ error: any Error) -> LogField {
        if let error = error as? any ActionableError {
            return LogField("error", .failure(code: error.code.text, text: error.description))
        }
        return LogField("error", .failure(code: nil, text: String(describing: error)))
    }
}

/// A static text compared by what it says, since one literal may have several addresses.
struct StaticName: Sendable, Hashable {
    let text: StaticString

    init(_ text: StaticString) { self.text = text }

    static func == (left: StaticName, right: StaticName) -> Bool {
        left.text.withUTF8Buffer { a in
            right.text.withUTF8Buffer { b in
                a.count == b.count && (a.baseAddress == b.baseAddress || a.elementsEqual(b))
            }
        }
    }

    func hash(into hasher: inout Hasher) {
        text.withUTF8Buffer { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
