// SPDX-License-Identifier: Apache-2.0

extension PatternParser {
    /// The observables of a pattern: every positive `=` and every element of a positive `IN` on a supported property,
    /// whatever joins them, each value once. Qualifiers are ignored. Everything else is listed with its reason.
    ///
    /// - Throws: ``PatternError`` if the text leaves the grammar; nothing of it may then be used.
    public static func observables(
        in bytes: UnsafeBufferPointer<UInt8>, limits: PatternLimits = PatternLimits()
    ) throws(PatternError) -> ExtractedObservables {
        var reader = PatternReader(bytes, limits: limits, sink: ObservableExtractor(bytes))
        try reader.read()
        return reader.sink.finish()
    }

    /// The same for a text.
    public static func observables(
        in text: String, limits: PatternLimits = PatternLimits()
    ) throws(PatternError) -> ExtractedObservables {
        var text = text
        let result = text.withUTF8 { bytes in
            Result { () throws(PatternError) in try observables(in: bytes, limits: limits) }
        }
        return try result.get()
    }
}

/// Collects observables while a pattern is read.
private struct ObservableExtractor: PatternSink {
    /// A comparison expression seen so far: which observables it gave, and which file names it demands.
    private struct Part {
        var observables: Range<Int>
        var fileNames: FileNames
    }
    private enum FileNames {
        case none
        case one(String)
        case several

        mutating func formUnion(_ other: FileNames) {
            switch (self, other) {
            case (_, .none): break
            case (.none, _): self = other
            case (.one(let name), .one(let otherName)) where name == otherName: break
            default: self = .several
            }
        }
    }

    private let bytes: UnsafeBufferPointer<UInt8>
    private var extracted = ExtractedObservables()
    private var setHead: RawComparison?
    private var setProperty: ObservableProperty?
    private var setStart = 0
    // The last part is kept apart, so that a pattern of one comparison costs no array.
    private var parts: [Part] = []
    private var last: Part?

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    mutating func comparison(_ head: RawComparison, _ literal: PatternToken?) {
        let start = extracted.observables.count
        var fileNames = FileNames.none
        if let (property, literal) = lookedFor(head, literal) {
            add(property, literal, head)
            if case .fileName = property, let name = extracted.observables.last?.value,
                extracted.observables.count > start
            {
                fileNames = .one(name)
            }
        }
        push(Part(observables: start..<extracted.observables.count, fileNames: fileNames))
    }

    /// The property and value of a positive `=`; otherwise the comparison is noted as left out.
    private mutating func lookedFor(
        _ head: RawComparison, _ literal: PatternToken?
    ) -> (ObservableProperty, PatternToken)? {
        guard let property = ObservableProperty(head.path, in: bytes) else {
            skip(head, .unsupportedPath)
            return nil
        }
        guard head.comparison == .equal, let literal else {
            skip(head, head.isNegated ? .negated : .unsupportedOperator(head.comparison))
            return nil
        }
        guard !head.isNegated else {
            skip(head, .negated)
            return nil
        }
        return (property, literal)
    }

    mutating func beginSet(_ head: RawComparison) {
        setHead = head
        setStart = extracted.observables.count
        setProperty = ObservableProperty(head.path, in: bytes)
        if setProperty == nil {
            skip(head, .unsupportedPath)
        } else if head.isNegated {
            setProperty = nil
            skip(head, .negated)
        }
    }

    mutating func setElement(_ literal: PatternToken) {
        guard let setProperty, let setHead else { return }
        add(setProperty, literal, setHead)
    }

    mutating func endSet() {
        setHead = nil
        // One of several names is no name that every match has.
        push(Part(observables: setStart..<extracted.observables.count, fileNames: .none))
    }

    mutating func joinComparisons(_ junction: PatternJunction, count: Int) {
        guard var joined = last else { return }
        for part in parts.suffix(count - 1) {
            joined.observables =
                min(joined.observables.lowerBound, part.observables.lowerBound)..<joined.observables.upperBound
            joined.fileNames.formUnion(part.fileNames)
        }
        parts.removeLast(count - 1)
        if junction == .or {
            joined.fileNames = .none
        } else if case .one(let name) = joined.fileNames {
            for index in joined.observables where extracted.observables[index].fileName == nil {
                if case .fileHash = extracted.observables[index].type { extracted.observables[index].fileName = name }
            }
        }
        last = joined
    }

    mutating func observation(at offset: Int) {
        parts.removeAll(keepingCapacity: true)
        last = nil
    }

    mutating func groupObservations() {}
    mutating func joinObservations(_ junction: PatternJunction, count: Int) {}
    mutating func qualify(_ qualifiers: [RawQualifier]) {}

    mutating func finish() -> ExtractedObservables {
        extracted.removeDuplicates()
        return extracted
    }

    private mutating func push(_ part: Part) {
        if let last { parts.append(last) }
        last = part
    }

    private mutating func skip(_ head: RawComparison, _ reason: SkippedComparison.Reason, at offset: Int? = nil) {
        extracted.skipped.append(
            SkippedComparison(path: bytes.path(head.path).description, offset: offset ?? head.offset, reason: reason))
    }

    private mutating func add(_ property: ObservableProperty, _ literal: PatternToken, _ head: RawComparison) {
        let offset = head.comparison == .in ? literal.start : head.offset
        guard literal.kind == .string else { return skip(head, .notText, at: offset) }
        let outcome: ObservableValue.Outcome
        if literal.hasEscapes {
            outcome = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: literal.end - literal.start) { decoded in
                let length = bytes.decode(literal, into: decoded)
                return ObservableValue.observable(property, UnsafeBufferPointer(rebasing: decoded[..<length]))
            }
        } else {
            outcome = ObservableValue.observable(property, bytes.content(literal))
        }
        switch outcome {
        case .success(let observable): extracted.observables.append(observable)
        case .failure(let reason): skip(head, reason, at: offset)
        }
    }
}

extension ExtractedObservables {
    /// Keeps the first of each type and value; a file name known for any of them stays known.
    fileprivate mutating func removeDuplicates() {
        guard observables.count > 1 else { return }
        struct Key: Hashable {
            let type: ObservableType
            let value: String
            // Byte for byte: two Unicode spellings of a file name are two names to a sensor.
            static func == (left: Key, right: Key) -> Bool {
                left.type == right.type && left.value.utf8.elementsEqual(right.value.utf8)
            }
        }
        var positions: [Key: Int] = [:]
        positions.reserveCapacity(observables.count)
        var kept = 0
        for index in observables.indices {
            let observable = observables[index]
            let key = Key(type: observable.type, value: observable.value)
            if let position = positions[key] {
                if observables[position].fileName == nil { observables[position].fileName = observable.fileName }
                continue
            }
            positions[key] = kept
            observables[kept] = observable
            kept += 1
        }
        observables.removeLast(observables.count - kept)
    }
}
