// SPDX-License-Identifier: Apache-2.0

/// What one read of the live stream gave: whole frames over the bytes they came in, so that a consumer translates all of
/// them synchronously and without a copy.
public struct StreamBatch: Sendable {
    public let frames: [StreamFrame]
    /// What happened to the connection before these frames.
    public let notices: [StreamNotice]
    private let bytes: [UInt8]
    private let joined: [UInt8]

    init(frames: [StreamFrame], bytes: [UInt8] = [], joined: [UInt8] = [], notices: [StreamNotice] = []) {
        self.frames = frames
        self.notices = notices
        self.bytes = bytes
        self.joined = joined
    }

    /// Bytes held by this batch, for budgets.
    public var byteCount: Int { bytes.count + joined.count }

    /// Calls `body` for each frame in order with the text of its data line; the pointer is valid inside `body` only.
    public func forEachFrame<Failure: Error>(
        _ body: (StreamFrame, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        for frame in frames { try withData(of: frame) { (data) throws(Failure) in try body(frame, data) } }
    }

    /// The data of a frame of this batch: several `data:` lines are joined with line feeds.
    public func withData<Result, Failure: Error>(
        of frame: StreamFrame, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let source = frame.isJoined ? joined : bytes
        // `withUnsafeBytes` does not carry typed throws through, hence the detour over a Result.
        let result = source.withUnsafeBytes { whole -> Swift.Result<Result, Failure> in
            do throws(Failure) {
                return .success(try body(UnsafeRawBufferPointer(rebasing: whole[frame.dataRange])))
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// The bytes that hold the data of a frame, and where in them, to keep it without a copy.
    public func slice(of frame: StreamFrame) -> (bytes: [UInt8], range: Range<Int>) {
        (frame.isJoined ? joined : bytes, frame.dataRange)
    }

    /// The data as text, for dead letters and messages.
    public func dataText(of frame: StreamFrame) -> String {
        withData(of: frame) { String(decoding: $0, as: UTF8.self) }
    }

    /// The id as it stood on the line.
    public func idText(of frame: StreamFrame) -> String? { text(frame.idRange) }

    /// The event's name as it stood on the line; `nil` without one.
    public func eventName(of frame: StreamFrame) -> String? { text(frame.eventRange) }

    func with(_ notices: [StreamNotice]) -> StreamBatch {
        StreamBatch(frames: frames, bytes: bytes, joined: joined, notices: notices)
    }

    private func text(_ range: Range<Int>?) -> String? {
        range.map { String(decoding: bytes[$0], as: UTF8.self) }
    }
}
