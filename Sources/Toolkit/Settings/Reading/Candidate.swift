// SPDX-License-Identifier: Apache-2.0

import Base

/// What a source holds for a setting.
struct Candidate {
    let raw: RawSetting
    let origin: SettingOrigin
    /// Whether the value came through a reference and may be a secret whatever the setting's type is.
    var isSensitive = false
    /// Reads the value again; `nil` when it can't have changed.
    var reread: (@Sendable () throws(UnreadableSource) -> String)?

    var location: SourceLocation? { if case .document(let location) = origin { location } else { nil } }
}

/// Reading what a YAML node holds.
struct NodeReader {
    let environment: Environment
    /// The folder that relative `${file:…}` paths begin at; `nil` where references are not replaced.
    let referenceFolder: String?

    func candidate(_ node: YAMLNode) throws(UnreadableSource) -> Candidate {
        switch node.content {
        case .scalar(_, isNull: true): return Candidate(raw: .text(""), origin: .document(node.location))
        case .scalar(let text, _):
            guard let referenceFolder, text.contains("${") else {
                return Candidate(raw: .text(text), origin: .document(node.location))
            }
            let pieces = try References.pieces(of: text)
            let value = try Self.join(pieces, environment.values, referenceFolder)
            guard pieces.contains(where: { if case .text = $0 { false } else { true } }) else {
                return Candidate(raw: .text(value), origin: .document(node.location))
            }
            var candidate = Candidate(raw: .text(value), origin: .document(node.location), isSensitive: true)
            if pieces.contains(where: { if case .file = $0 { true } else { false } }) {
                let variables = environment.values
                candidate.reread = { () throws(UnreadableSource) in
                    try Self.join(pieces, variables, referenceFolder)
                }
            }
            return candidate
        case .sequence(let nodes):
            var elements: [String] = []
            var isSensitive = false
            for node in nodes {
                let element = try candidate(node)
                guard case .text(let text) = element.raw else {
                    throw UnreadableSource("It holds a list inside a list.", remedy: "Write one flat list.")
                }
                isSensitive = isSensitive || element.isSensitive
                elements.append(text)
            }
            return Candidate(raw: .list(elements), origin: .document(node.location), isSensitive: isSensitive)
        case .mapping:
            throw UnreadableSource(
                "Here is a section where a value is expected.", remedy: "Check the indentation.")
        }
    }

    private static func join(
        _ pieces: [References.Piece], _ environment: [String: String], _ folder: String
    ) throws(UnreadableSource) -> String {
        var value = ""
        for piece in pieces {
            switch piece {
            case .text(let text): value += text
            case .variable(let name):
                guard let text = environment[name] else {
                    throw UnreadableSource(
                        "The variable \(name) of the reference is not set.", remedy: "Set it, or correct the name.")
                }
                value += text
            case .file(let path):
                value += try SettingFile.value(of: path.hasPrefix("/") ? path : folder + "/" + path)
            }
        }
        return value
    }
}
