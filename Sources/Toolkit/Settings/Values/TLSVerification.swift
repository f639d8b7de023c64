// SPDX-License-Identifier: Apache-2.0

/// Whether and against what a server's certificate is checked; the originals' `ssl_verify`.
///
/// A boolean in any spelling, or the path of a file with CA certificates (PEM).
/// Source: OpenCTI protocol, 1.4.
public enum TLSVerification: SettingValue, Hashable {
    /// Against the system's certificates.
    case system
    /// Against those of a file alone.
    case certificates(FilePath)
    /// Not at all; said loudly at start and in health.
    case off

    public static var kind: SettingKind {
        SettingKind("true, false or path", expectation: "true, false, or the path of a file with CA certificates")
    }

    public init(reading raw: RawSetting) throws(InvalidValue) {
        if let isOn = try? Bool(reading: raw) {
            self = isOn ? .system : .off
            return
        }
        let path = try FilePath(reading: raw)
        guard path.text.contains("/") || path.text.contains(".") else {
            throw InvalidValue("is neither true, false nor a path")
        }
        self = .certificates(path)
    }

    public var settingText: String {
        switch self {
        case .system: "true"
        case .off: "false"
        case .certificates(let path): path.text
        }
    }
}
