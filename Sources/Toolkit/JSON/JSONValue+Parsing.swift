// SPDX-License-Identifier: Apache-2.0

extension JSONValue {
    /// Reads one text, RFC 8259 to the letter. Number texts, the order of members and repeated names are kept.
    ///
    /// - Throws: ``JSONError`` with the offset of the first wrong byte.
    public init(
        parsing bytes: UnsafeRawBufferPointer, limits: JSONLimits = JSONLimits()
    ) throws(JSONError) {
        let result = bytes.withMemoryRebound(to: UInt8.self) { text -> Result<JSONValue, JSONError> in
            var scanner = Scanner(text, limits: limits, handler: ValueBuilder())
            do throws(JSONError) { try scanner.run() } catch { return .failure(error) }
            return .success(scanner.handler.root)
        }
        self = try result.get()
    }

    public init(parsing bytes: some Collection<UInt8>, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        // Typed throws do not pass through `withContiguousStorage…`, hence the detours over a Result.
        func parse(_ text: UnsafeRawBufferPointer) -> Result<JSONValue, JSONError> {
            do throws(JSONError) { return .success(try JSONValue(parsing: text, limits: limits)) } catch {
                return .failure(error)
            }
        }
        let result =
            bytes.withContiguousStorageIfAvailable { parse(UnsafeRawBufferPointer($0)) }
            ?? Array(bytes).withUnsafeBytes(parse)
        self = try result.get()
    }

    public init(parsing text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        try self.init(parsing: text.utf8, limits: limits)
    }
}

/// Builds the value from the inside out. The scanner limits the depth.
private struct ValueBuilder: ScanHandler {
    private struct Frame {
        var elements: [JSONValue] = []
        var members = JSONObject()
        var name = ""
        let container: Container
    }

    private(set) var root = JSONValue.null
    private var frames: [Frame] = []

    private mutating func add(_ value: JSONValue) {
        guard !frames.isEmpty else {
            root = value
            return
        }
        let top = frames.count - 1
        switch frames[top].container {
        case .array: frames[top].elements.append(value)
        case .object: frames[top].members.append(frames[top].name, value)
        }
    }

    mutating func null() { add(.null) }
    mutating func bool(_ value: Bool) { add(.bool(value)) }
    mutating func number(_ text: Bytes) { add(.number(JSONNumber(validated: text))) }
    mutating func string(_ text: EncodedString) { add(.string(text.decoded)) }
    mutating func name(_ text: EncodedString) { frames[frames.count - 1].name = text.decoded }
    mutating func begin(_ container: Container) { frames.append(Frame(container: container)) }
    mutating func end(_ container: Container) {
        let frame = frames.removeLast()
        switch container {
        case .array: add(.array(frame.elements))
        case .object: add(.object(frame.members))
        }
    }
}
