// SPDX-License-Identifier: Apache-2.0

/// `${env:NAME}` and `${file:/path}` in the values of `sallyport.yaml`. `$${` is a literal `${`.
enum References {
    /// A piece of a value.
    enum Piece: Hashable {
        case text(String)
        case variable(String)
        case file(String)
    }

    /// - Throws: ``UnreadableSource`` for a reference of another form or without an end.
    static func pieces(of text: String) throws(UnreadableSource) -> [Piece] {
        var pieces: [Piece] = []
        var literal = ""
        var rest = text[...]
        while let dollar = rest.firstRange(of: "${") {
            literal += rest[..<dollar.lowerBound]
            if literal.hasSuffix("$") {
                literal += "{"
                rest = rest[dollar.upperBound...]
                continue
            }
            guard let end = rest[dollar.upperBound...].firstIndex(of: "}") else {
                throw UnreadableSource(
                    "The reference has no closing brace.", remedy: "Write ${env:NAME} or ${file:/path}.")
            }
            let reference = rest[dollar.upperBound..<end]
            if !literal.isEmpty { pieces.append(.text(literal)) }
            literal = ""
            rest = rest[rest.index(after: end)...]
            if reference.hasPrefix("env:"), reference.count > 4 {
                pieces.append(.variable(reference.dropFirst(4).trimmed))
            } else if reference.hasPrefix("file:"), reference.count > 5 {
                pieces.append(.file(reference.dropFirst(5).trimmed))
            } else {
                throw UnreadableSource(
                    "The reference is neither ${env:NAME} nor ${file:/path}.",
                    remedy: "For a literal “${” write “$${”.")
            }
        }
        literal += rest
        if !literal.isEmpty { pieces.append(.text(literal)) }
        return pieces
    }

    // Braces mean a section to YAML inside `{ … }`. So that `{ token: ${file:/run/secrets/x} }` needs no quotes, the
    // braces of references are replaced by two characters of the private use area before libyaml sees the text, one for
    // one, which keeps lines and columns, and put back afterwards.
    private static let opening: Unicode.Scalar = "\u{E000}"
    private static let closing: Unicode.Scalar = "\u{E001}"

    static func masked(_ bytes: [UInt8]) -> (bytes: [UInt8], isMasked: Bool) {
        let text = String(decoding: bytes, as: UTF8.self)
        // Text that is not UTF-8 (libyaml also reads UTF-16), or that holds these characters itself, stays as it is.
        guard Array(text.utf8) == bytes, text.contains("${"),
            !text.unicodeScalars.contains(where: { $0 == opening || $0 == closing })
        else { return (bytes, false) }
        var masked = String.UnicodeScalarView()
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            masked.append(scalar)
            guard scalar == "$", rest.first == "{",
                let end = rest.firstIndex(where: { $0 == "}" || $0 == "\n" }), rest[end] == "}"
            else { continue }
            masked.append(opening)
            masked.append(contentsOf: rest[..<end].dropFirst())
            masked.append(closing)
            rest = rest[end...].dropFirst()
        }
        return (Array(String(masked).utf8), true)
    }

    static func unmasked(_ node: YAMLNode) -> YAMLNode {
        let content: YAMLNode.Content =
            switch node.content {
            case .scalar(let text, let isNull): .scalar(unmasked(text), isNull: isNull)
            case .sequence(let nodes): .sequence(nodes.map(unmasked))
            case .mapping(let members):
                .mapping(
                    members.map {
                        YAMLNode.Member(key: unmasked($0.key), location: $0.location, value: unmasked($0.value))
                    })
            }
        return YAMLNode(content: content, location: node.location, size: node.size)
    }

    private static func unmasked(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { scalars.append(scalar == opening ? "{" : scalar == closing ? "}" : scalar) }
        return String(scalars)
    }
}
