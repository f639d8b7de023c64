// SPDX-License-Identifier: Apache-2.0

/// Prometheus text exposition 0.0.4 under construction.
///
/// Source: the format's description in `prometheus/docs: content/docs/instrumenting/exposition_formats.md`.
public struct ExpositionText: Sendable {
    private(set) var text = ""

    /// `# HELP` and `# TYPE`.
    mutating func header(_ name: String, _ help: String, _ kind: StaticString) {
        text += "# HELP \(name) "
        for character in help.unicodeScalars {
            switch character {
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(character)
            }
        }
        text += "\n# TYPE \(name) \(kind)\n"
    }

    /// One line: name, labels, value.
    mutating func sample(_ name: String, _ labels: [(name: String, value: String)], _ value: Double) {
        text += name
        if !labels.isEmpty {
            text += "{"
            for (index, label) in labels.enumerated() {
                if index > 0 { text += "," }
                text += label.name
                text += "=\""
                for character in label.value.unicodeScalars {
                    switch character {
                    case "\\": text += "\\\\"
                    case "\"": text += "\\\""
                    case "\n": text += "\\n"
                    default: text.unicodeScalars.append(character)
                    }
                }
                text += "\""
            }
            text += "}"
        }
        text += " \(Self.number(value))\n"
    }

    /// Go's form of a number: `+Inf`, `NaN`, integers without a fraction.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), abs(value) < 0x1p53 { return String(Int64(value)) }
        return String(value)
    }
}
