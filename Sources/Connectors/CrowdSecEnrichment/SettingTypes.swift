// SPDX-License-Identifier: Apache-2.0

import STIX
import Settings

/// A text without the quotation marks that compose files leave around values: `CROWDSEC_NAME="CrowdSec"` in a list.
struct UnquotedText: SettingValue, ExpressibleByStringLiteral, Hashable {
    let text: String

    init(stringLiteral text: String) { self.text = text }
    init(reading raw: RawSetting) throws(InvalidValue) { text = try Self.text(of: raw) }

    static var kind: SettingKind { SettingKind("text", expectation: "a text") }
    var settingText: String { text }

    /// Without any `'` and `"`, and without blanks at either end.
    static func text(of raw: RawSetting) throws(InvalidValue) -> String {
        var text = try raw.text().filter { $0 != "'" && $0 != "\"" }[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}

/// The most restrictive level that may be asked about.
struct MaximumTLP: SettingValue, Hashable {
    let level: TLP

    init(level: TLP) { self.level = level }

    init(reading raw: RawSetting) throws(InvalidValue) {
        guard let level = TLP(name: try UnquotedText.text(of: raw)) else { throw InvalidValue("is no TLP level") }
        self.level = level
    }

    static var kind: SettingKind {
        SettingKind("TLP level", expectation: "TLP:CLEAR, TLP:GREEN, TLP:AMBER, TLP:AMBER+STRICT or TLP:RED")
    }
    var settingText: String { level.description }
}

/// `#RRGGBB`
struct LabelColor: SettingValue, Hashable {
    let text: String

    init(_ text: String) { self.text = text }

    init(reading raw: RawSetting) throws(InvalidValue) {
        text = try UnquotedText.text(of: raw)
        guard text.utf8.count == 7, text.first == "#", text.dropFirst().allSatisfy(\.isHexDigit) else {
            throw InvalidValue("is no colour")
        }
    }

    static var kind: SettingKind { SettingKind("colour", expectation: "a colour such as #FF0000") }
    var settingText: String { text }
}
