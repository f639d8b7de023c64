// SPDX-License-Identifier: Apache-2.0

public import Base
public import JSON

#if canImport(Glibc)
    import Glibc
#endif

/// What Sekoia's platform gives to a program that it starts: `/symphony/<key>`, else the variable `KEY`.
///
/// Source: Sekoia.io module, 0.1 (SDK 1.22.3).
public struct SymphonyParameters: Sendable {
    /// Where the platform mounts one file a key.
    public static let folder = "/symphony"
    /// Another folder, for tests and rehearsals.
    public static let folderVariable = "SALLYPORT_SYMPHONY_DIR"

    private let environment: [String: String]
    private let folder: String

    /// - Parameter folder: nil takes ``folderVariable``, else ``SymphonyParameters/folder``.
    public init(environment: [String: String], folder: String? = nil) {
        self.environment = environment
        self.folder = folder ?? environment[Self.folderVariable] ?? Self.folder
    }

    /// The text of a key without blanks around it; `nil` when neither file nor variable holds anything.
    public func text(_ key: String) -> String? { raw(key).flatMap { $0.isEmpty ? nil : $0 } }

    public func secret(_ key: String) -> Secret? { text(key).map { Secret($0) } }

    /// A key that holds JSON, as text or in base64.
    ///
    /// - Throws: ``SymphonyError/invalidParameter(key:reason:)``.
    public func json(_ key: String) throws(SymphonyError) -> JSONValue? {
        guard let text = text(key) else { return nil }
        if let value = try? JSONValue(parsing: text) { return value }
        // Compat: the SDK's order. A base64 text that also is JSON (digits only) is taken as JSON.
        if let bytes = Base64.decode(text), let value = try? JSONValue(parsing: bytes) { return value }
        throw .invalidParameter(key: key, reason: "it is neither JSON nor JSON in base64")
    }

    /// A key that holds a JSON object; empty when it is not there or null.
    public func object(_ key: String) throws(SymphonyError) -> JSONObject {
        guard let value = try json(key), !value.isNull else { return [:] }
        guard let object = value.object else {
            throw .invalidParameter(key: key, reason: "it is no JSON object")
        }
        return object
    }

    /// `client_id`, `client_secret`, `base_url`.
    public func moduleConfiguration() throws(SymphonyError) -> JSONObject { try object("module_configuration") }

    /// The connector's own configuration, under today's key or the one of triggers.
    public func connectorConfiguration() throws(SymphonyError) -> JSONObject {
        if text("connector_configuration") != nil { return try object("connector_configuration") }
        return try object("trigger_configuration")
    }

    /// Arguments of an action.
    public func arguments() throws(SymphonyError) -> JSONObject { try object("arguments") }

    /// Whether the platform has started us: it gives a token and a place to call back.
    public var hasPlatform: Bool { text("token") != nil && text("url_callback") != nil }

    private func raw(_ key: String) -> String? {
        if let bytes = Self.contents(of: folder + "/" + key) {
            return String(decoding: bytes, as: UTF8.self).trimmingBlanks
        }
        return environment[key.uppercased()]?.trimmingBlanks
    }

    // A few small local files, read once at start.
    private static func contents(of path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16 << 10)
        while bytes.count < 16 << 20 {
            let count = read(descriptor, &block, block.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count == 0 ? bytes : nil }
            bytes += block[..<count]
        }
        return nil
    }
}

/// What goes wrong between us and Sekoia's platform.
public enum SymphonyError: ActionableError {
    case invalidParameter(key: String, reason: String)
    /// The platform refuses a call; nothing is gained by repeating it.
    case refused(call: String, status: Int)
    /// The platform could not be reached, or is in trouble.
    case unavailable(call: String, reason: String)
    /// The data folder or bucket cannot be read or written.
    case data(name: String, reason: String)

    public var code: ErrorCode {
        switch self {
        case .invalidParameter: "symphony.parameter"
        case .refused: "symphony.refused"
        case .unavailable: "symphony.unavailable"
        case .data: "symphony.data"
        }
    }

    public var isRetryable: Bool {
        switch self {
        case .invalidParameter, .refused: false
        case .unavailable, .data: true
        }
    }

    public var description: String {
        switch self {
        case .invalidParameter(let key, let reason):
            "The platform's parameter “\(key)” (file /symphony/\(key) or variable \(key.uppercased())) can't be used: "
                + "\(reason)."
        case .refused(let call, let status):
            "Sekoia's platform refused to take our \(call) (status \(status)). Check the token and the callback URL."
        case .unavailable(let call, let reason): "Sekoia's platform did not take our \(call): \(reason)."
        case .data(let name, let reason):
            "\(name) can't be read or written in the data path: \(reason). Check the volume, or the bucket's credentials."
        }
    }
}

/// RFC 4648 with its standard alphabet.
enum Base64 {
    /// `nil` when the text is none. Blanks and line ends in it are skipped, padding may be missing.
    static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        var hasEnded = false
        for byte in text.utf8 {
            let digit: UInt32
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = UInt32(byte - 65)
            case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = UInt32(byte - 97 + 26)
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = UInt32(byte - 48 + 52)
            case UInt8(ascii: "+"), UInt8(ascii: "-"): digit = 62
            case UInt8(ascii: "/"), UInt8(ascii: "_"): digit = 63
            case UInt8(ascii: "="):
                hasEnded = true
                continue
            case 0x20, 0x09, 0x0A, 0x0D: continue
            default: return nil
            }
            if hasEnded { return nil }
            bits = bits << 6 | digit
            count += 1
            if count % 4 != 1 {
                // After 2, 3 and 4 digits there are 12, 18 and 24 bits: one more byte each.
                let left = UInt32((4 - (count % 4)) % 4 * 2)
                bytes.append(UInt8(truncatingIfNeeded: bits >> left))
            }
        }
        return count % 4 == 1 ? nil : bytes
    }
}

extension StringProtocol {
    var trimmingBlanks: String {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        var rest = Substring(self).utf8
        while let byte = rest.first, isBlank(byte) { rest.removeFirst() }
        while let byte = rest.last, isBlank(byte) { rest.removeLast() }
        return String(Substring(rest))
    }
}
