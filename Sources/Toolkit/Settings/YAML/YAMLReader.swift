// SPDX-License-Identifier: Apache-2.0

import CYAML

/// Reads one YAML document with libyaml.
///
/// Refused, each with its place: syntax errors, two keys of one name, keys that are no plain text, tags of other
/// programs, a second document, and documents beyond the limits (also through aliases of aliases).
public struct YAMLReader {
    /// What was read, and everything that is wrong with it.
    public struct Document {
        /// `nil` for an empty document or one that can't be read.
        public let root: YAMLNode?
        public let problems: [SettingsProblem]
    }

    private let file: String
    private let limits: YAMLLimits
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private var anchors: [String: YAMLNode] = [:]
    private var nodes = 0
    private var problems: [SettingsProblem] = []

    /// What stops the reading, as opposed to what is noted on the way.
    private struct Stop: Error {}

    /// - Parameter file: named in the places of problems.
    public static func read(_ bytes: [UInt8], file: String, limits: YAMLLimits = YAMLLimits()) -> Document {
        guard bytes.count <= limits.maxBytes else {
            return Document(
                root: nil,
                problems: [
                    SettingsProblem(
                        severity: .error, key: nil, variable: nil,
                        location: SourceLocation(file: file, line: 1, column: 1),
                        what: "The file has \(bytes.count) bytes; the limit is \(limits.maxBytes).",
                        remedy: "Check that it is the file you mean.")
                ])
        }
        let (masked, isMasked) = References.masked(bytes)
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        guard yaml_parser_initialize(parser) == 1 else { return Document(root: nil, problems: []) }
        defer { yaml_parser_delete(parser) }
        return masked.withUnsafeBufferPointer { text in
            yaml_parser_set_input_string(parser, text.baseAddress, text.count)
            var reader = YAMLReader(file: file, limits: limits, parser: parser)
            var root = try? reader.document()
            if isMasked { root = root.map(References.unmasked) }
            return Document(root: root ?? nil, problems: reader.problems)
        }
    }

    private init(file: String, limits: YAMLLimits, parser: UnsafeMutablePointer<yaml_parser_t>) {
        self.file = file
        self.limits = limits
        self.parser = parser
    }

    private mutating func document() throws(Stop) -> YAMLNode? {
        var root: YAMLNode?
        while true {
            var event = try next()
            defer { yaml_event_delete(&event) }
            switch event.type {
            case YAML_STREAM_START_EVENT, YAML_DOCUMENT_END_EVENT: continue
            case YAML_STREAM_END_EVENT: return root
            case YAML_DOCUMENT_START_EVENT:
                guard root == nil else {
                    throw stop(event.start_mark, "A second document begins here.", "Keep one document in the file.")
                }
            default: root = try node(event, depth: 0)
            }
        }
    }

    private mutating func next() throws(Stop) -> yaml_event_t {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
        return event
    }

    private mutating func node(_ event: yaml_event_t, depth: Int) throws(Stop) -> YAMLNode {
        let mark = event.start_mark
        guard depth < limits.maxDepth else {
            throw stop(mark, "The nesting is deeper than \(limits.maxDepth).", "Check the brackets before it.")
        }
        nodes += 1
        var anchor: String?
        let node: YAMLNode
        switch event.type {
        case YAML_ALIAS_EVENT:
            let name = text(event.data.alias.anchor)
            guard let target = anchors[name] else {
                throw stop(mark, "The alias *\(name) has no anchor &\(name) before it.", "Correct the name.")
            }
            nodes += target.size - 1
            node = target
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            let value = text(scalar.value, scalar.length)
            try check(tag: scalar.tag, at: mark)
            let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE && scalar.tag == nil
            let isNull = isPlain && ["", "~", "null", "Null", "NULL"].contains(value)
            node = YAMLNode(content: .scalar(value, isNull: isNull), location: location(mark), size: 1)
            anchor = scalar.anchor.map { text($0) }
        case YAML_SEQUENCE_START_EVENT:
            try check(tag: event.data.sequence_start.tag, at: mark)
            anchor = event.data.sequence_start.anchor.map { text($0) }
            node = try sequence(at: mark, depth: depth)
        case YAML_MAPPING_START_EVENT:
            try check(tag: event.data.mapping_start.tag, at: mark)
            anchor = event.data.mapping_start.anchor.map { text($0) }
            node = try mapping(at: mark, depth: depth)
        default: throw stop(mark, "The document ends too early.", "Complete it.")
        }
        guard nodes <= limits.maxNodes else {
            throw stop(
                mark, "The document has more than \(limits.maxNodes) values, aliases counted.",
                "Write it without nested aliases.")
        }
        if let anchor { anchors[anchor] = node }
        return node
    }

    private mutating func sequence(at mark: yaml_mark_t, depth: Int) throws(Stop) -> YAMLNode {
        var elements: [YAMLNode] = []
        while true {
            var event = try next()
            defer { yaml_event_delete(&event) }
            if event.type == YAML_SEQUENCE_END_EVENT {
                let size = elements.reduce(1) { $0 + $1.size }
                return YAMLNode(content: .sequence(elements), location: location(mark), size: size)
            }
            elements.append(try node(event, depth: depth + 1))
        }
    }

    private mutating func mapping(at mark: yaml_mark_t, depth: Int) throws(Stop) -> YAMLNode {
        var members: [YAMLNode.Member] = []
        var merged: [YAMLNode] = []
        var lines: [String: Int] = [:]
        while true {
            var event = try next()
            defer { yaml_event_delete(&event) }
            if event.type == YAML_MAPPING_END_EVENT { break }
            let keyMark = event.start_mark
            guard event.type == YAML_SCALAR_EVENT else {
                throw stop(keyMark, "A key must be a plain text.", "Quote it, or correct the indentation.")
            }
            let key = text(event.data.scalar.value, event.data.scalar.length)
            var valueEvent = try next()
            defer { yaml_event_delete(&valueEvent) }
            let value = try node(valueEvent, depth: depth + 1)
            if key == "<<", event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE {
                merged.append(value)
            } else if let line = lines[key] {
                note(
                    keyMark, "The key “\(key)” is here a second time; the first is in line \(line).",
                    "Keep one of them.")
            } else {
                lines[key] = location(keyMark).line
                members.append(YAMLNode.Member(key: key, location: location(keyMark), value: value))
            }
        }
        for node in merged { try merge(node, into: &members, &lines) }
        let size = members.reduce(1) { $0 + 1 + $1.value.size }
        return YAMLNode(content: .mapping(members), location: location(mark), size: size)
    }

    /// `<<: *defaults`, as Python's YAML has it: keys written out win, then the first of a list.
    private mutating func merge(
        _ node: YAMLNode, into members: inout [YAMLNode.Member], _ lines: inout [String: Int]
    ) throws(Stop) {
        switch node.content {
        case .mapping(let others):
            for other in others where lines[other.key] == nil {
                lines[other.key] = other.location.line
                members.append(other)
            }
        case .sequence(let nodes) where nodes.allSatisfy({ $0.members != nil }):
            for node in nodes { try merge(node, into: &members, &lines) }
        default:
            problems.append(
                SettingsProblem(
                    severity: .error, key: nil, variable: nil, location: node.location,
                    what: "“<<” merges sections, and this is none.", remedy: "Write <<: *name of an anchored section."))
            throw Stop()
        }
    }

    private mutating func check(tag: UnsafeMutablePointer<yaml_char_t>?, at mark: yaml_mark_t) throws(Stop) {
        guard let tag else { return }
        let name = text(tag)
        let known = ["str", "int", "float", "bool", "null", "seq", "map"].map { "tag:yaml.org,2002:\($0)" }
        guard known.contains(name) || name == "!" else {
            throw stop(mark, "The tag \(shown(name)) belongs to another program.", "Remove it.")
        }
    }

    private mutating func syntaxError() -> Stop {
        let parser = parser.pointee
        let mark = parser.problem_mark
        let problem = parser.problem.map { String(cString: $0) } ?? "the text is not readable"
        var remedy = "Check the indentation, and quote values that hold “: ”, “#” or brackets."
        if problem.contains("cannot start any token") {
            remedy = "YAML is indented with blanks; a tab, “@”, “%” and “`” must be quoted."
        } else if parser.error == YAML_READER_ERROR {
            remedy = "Save the file as UTF-8."
        }
        let context = parser.context.map { " " + String(cString: $0) } ?? ""
        return stop(mark, "This is no YAML: \(problem)\(context).", remedy)
    }

    private mutating func stop(_ mark: yaml_mark_t, _ what: String, _ remedy: String) -> Stop {
        note(mark, what, remedy)
        return Stop()
    }

    private mutating func note(_ mark: yaml_mark_t, _ what: String, _ remedy: String) {
        problems.append(
            SettingsProblem(
                severity: .error, key: nil, variable: nil, location: location(mark), what: what, remedy: remedy))
    }

    private func location(_ mark: yaml_mark_t) -> SourceLocation {
        SourceLocation(file: file, line: Int(mark.line) + 1, column: Int(mark.column) + 1)
    }

    private func text(_ pointer: UnsafeMutablePointer<yaml_char_t>) -> String { String(cString: pointer) }

    private func text(_ pointer: UnsafeMutablePointer<yaml_char_t>, _ length: Int) -> String {
        String(decoding: UnsafeBufferPointer(start: pointer, count: length), as: UTF8.self)
    }
}
