// SPDX-License-Identifier: Apache-2.0

public import JSON

/// One way in which a simulated vendor fails, and when.
///
/// As text, for a command line: a kind, then settings, separated by commas:
/// `status=503,path=/iocs/*,method=POST,times=3`, `reset_after,probability=0.05`, `cut=4096,path=/stream/*,skip=2`.
/// As JSON the same keys: `{"kind":"status","argument":503,"path":"/iocs/*","times":3}`.
public struct FaultRule: Sendable, Hashable {
    public enum Kind: String, Sendable, CaseIterable {
        /// The vendor's own error answer with status `argument`; the request is not applied.
        case status
        /// The HTML page of a gateway with status `argument`; the request is not applied.
        case html
        /// The connection is reset; the request is not applied.
        case resetBefore = "reset_before"
        /// The request is applied, then the connection is reset instead of an answer.
        case resetAfter = "reset_after"
        /// The request is applied; the connection is reset after `argument` bytes of the body.
        case cut
        /// The body of a stream ends, orderly, after `argument` bytes; other bodies are cut there.
        case end
        /// The body stalls after `argument` bytes, the connection stays open and silent for ``lasting`` seconds.
        case stall
        /// No answer, the connection stays open and silent for ``lasting`` seconds; the request is not applied.
        case halfOpen = "half_open"
        /// The answer comes `argument` milliseconds later.
        case latency
        /// The body comes at `argument` bytes a second.
        case slow
    }

    public var kind: Kind
    /// What it is, the kind says. Defaults: status 500, 100 bytes, 1000 ms, 1000 bytes a second.
    public var argument: Int
    /// Upper case; `nil` for all.
    public var method: String?
    /// A path, `*` stands for any run of characters; `nil` for all.
    public var path: String?
    /// The vendor's name of the operation; `nil` for all.
    public var operation: String?
    /// So many matching requests pass first.
    public var skip = 0
    /// How often it strikes; `nil` without end.
    public var times: Int? = 1
    /// How likely a matching request is struck.
    public var probability = 1.0
    /// Seconds until the client may come again, for status 429 and 503.
    public var retryAfter = 1
    /// Seconds of silence of `stall` and `half_open`.
    public var lasting = 60
    /// The error's text instead of the vendor's usual one.
    public var message: String?

    public init(_ kind: Kind, _ argument: Int? = nil) {
        self.kind = kind
        self.argument =
            argument
            ?? {
                switch kind {
                case .status: 500
                case .html: 502
                case .latency, .slow: 1000
                default: 100
                }
            }()
    }

    /// Reads the text form; the error says what is wrong with it.
    public init(parsing text: String) throws(FaultRuleError) {
        let parts = text.split(separator: ",").map { $0.filter { $0 != " " } }
        guard let first = parts.first else { throw .empty }
        let (name, argument) = Self.pair(first)
        var object = JSONObject()
        object["kind"] = .string(name)
        if let argument { object["argument"] = .string(argument) }
        for part in parts.dropFirst() {
            let (key, value) = Self.pair(part)
            object[key] = .string(value ?? "")
        }
        try self.init(object)
    }

    /// Reads the JSON form. Numbers may be given as text.
    public init(_ object: JSONObject) throws(FaultRuleError) {
        let name = object["kind"]?.string ?? ""
        guard let kind = Kind(rawValue: name) else { throw .unknownKind(name) }
        self.init(kind)
        for (key, value) in object where key != "kind" {
            switch key {
            case "argument": argument = try Self.number(key, value)
            case "method": method = value.string?.uppercased()
            case "path": path = value.string
            case "operation": operation = value.string
            case "message": message = value.string
            case "skip": skip = try Self.number(key, value)
            case "times": times = value.string == "*" || value.isNull ? nil : try Self.number(key, value)
            case "retry_after": retryAfter = try Self.number(key, value)
            case "lasting": lasting = try Self.number(key, value)
            case "probability":
                guard let read = value.double ?? value.string.flatMap({ Double($0) }), (0...1).contains(read) else {
                    throw .badValue(key: key)
                }
                probability = read
            default: throw .unknownKey(key)
            }
        }
    }

    func matches(method: String, path: String, operation: String) -> Bool {
        (self.method.map { $0 == method } ?? true) && (self.operation.map { $0 == operation } ?? true)
            && (self.path.map { Glob.matches($0, path) } ?? true)
    }

    private static func pair(_ text: some StringProtocol) -> (String, String?) {
        let parts = text.split(separator: "=", maxSplits: 1)
        return (String(parts.first ?? ""), parts.count > 1 ? String(parts[1]) : nil)
    }

    private static func number(_ key: String, _ value: JSONValue) throws(FaultRuleError) -> Int {
        guard let read = value.int.map({ Int($0) }) ?? value.string.flatMap({ Int($0) }), read >= 0 else {
            throw .badValue(key: key)
        }
        return read
    }
}
