// SPDX-License-Identifier: Apache-2.0

public import Base

/// A place in a file.
public struct SourceLocation: Sendable, Hashable, CustomStringConvertible {
    public let file: String
    /// From 1.
    public let line: Int
    /// From 1, in characters.
    public let column: Int

    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    public var description: String { "\(file):\(line):\(column)" }
}

/// One thing that is wrong with the settings: which, where, what, and what to do. Never holds a secret.
public struct SettingsProblem: Sendable, Hashable, CustomStringConvertible {
    public enum Severity: String, Sendable {
        case error
        case warning
    }

    public let severity: Severity
    /// `crowdstrike.batch_size`, or its path in `sallyport.yaml`; `nil` for a file as a whole.
    public let key: String?
    /// The variable to set or that was set.
    public let variable: String?
    public let location: SourceLocation?
    /// A sentence.
    public let what: String
    /// A sentence or two.
    public let remedy: String

    public init(
        severity: Severity, key: String?, variable: String?, location: SourceLocation?, what: String, remedy: String
    ) {
        self.severity = severity
        self.key = key
        self.variable = variable
        self.location = location
        self.what = what
        self.remedy = remedy
    }

    /// `sallyport.yaml:12:5: flows.iocs.batch_size (CROWDSTRIKE_BATCH_SIZE): “x” is no whole number. Give …`
    public var description: String {
        var text = location.map { "\($0): " } ?? ""
        switch (key, variable) {
        case (let key?, let variable?): text += "\(key) (\(variable)): "
        case (let name?, nil), (nil, let name?): text += "\(name): "
        case (nil, nil): break
        }
        return text + what + (remedy.isEmpty ? "" : " " + remedy)
    }
}

/// The settings can't be used. Holds every problem found, warnings too.
public struct SettingsError: ActionableError {
    public let problems: [SettingsProblem]

    public init(problems: [SettingsProblem]) { self.problems = problems }

    public var code: ErrorCode { "settings.invalid" }
    public var isRetryable: Bool { false }
    /// One line for each error.
    public var description: String {
        problems.filter { $0.severity == .error }.map(\.description).joined(separator: "\n")
    }
}

/// A value as a message shows it: quoted, short, without control characters and without the password of a URL.
func shown(_ value: String) -> String {
    var text = ""
    for scalar in value.unicodeScalars.prefix(60) {
        let isPlain =
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: false
            default: true
            }
        text += isPlain ? String(scalar) : "\\u{\(String(scalar.value, radix: 16))}"
    }
    if let scheme = text.firstRange(of: "://"), let at = text[scheme.upperBound...].lastIndex(of: "@") {
        text.replaceSubrange(scheme.upperBound..<at, with: "[redacted]")
    }
    return "“\(text)\(value.unicodeScalars.count > 60 ? "…" : "")”"
}
