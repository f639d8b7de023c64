// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

/// The path of a file or folder. `~/` is the home folder; a relative path begins at the working folder.
public struct FilePath: SettingValue, Hashable, CustomStringConvertible, ExpressibleByStringLiteral {
    public let text: String
    public var description: String { text }
    public var settingText: String { text }

    public static var kind: SettingKind { SettingKind("path", expectation: "a path") }

    public init(_ text: String) { self.text = text }
    public init(stringLiteral value: String) { text = value }

    public init(reading raw: RawSetting) throws(InvalidValue) {
        let text = try raw.text()
        if text.hasPrefix("~/"), let home = getenv("HOME") {
            self.text = String(cString: home) + text.dropFirst()
        } else {
            self.text = text
        }
    }
}
