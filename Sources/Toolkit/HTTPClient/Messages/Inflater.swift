// SPDX-License-Identifier: Apache-2.0

import CZlib

/// Unpacks a gzip body piece by piece, never more at a time than the caller has room for.
///
/// libcurl could do this, but a paused transfer then keeps all that its last input unpacks to: up to a thousand times it.
final class Inflater {
    enum Failure: Error { case corrupt }

    /// zlib remembers the address, so it must not move.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    /// Where zlib writes before it is appended: an array can only grow over zeros.
    private let scratch = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 64 << 10)
    private var pending: [UInt8] = []
    private var consumed = 0
    private var isAtMemberEnd = false
    private var hasStarted = false
    /// The last step filled its room, so zlib may hold more output although it took all input.
    private var mayHoldOutput = false

    init?() {
        stream.initialize(to: z_stream())
        // 15 bits of window, plus 16 for the gzip wrapper.
        guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return nil
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        scratch.deallocate()
    }

    /// Whether something waits that has not been unpacked for want of room.
    var hasMore: Bool { consumed < pending.count || mayHoldOutput }

    /// Whether the body ended where a gzip member does.
    var isComplete: Bool { !hasMore && (isAtMemberEnd || !hasStarted) }

    func append(_ input: UnsafeRawBufferPointer) {
        if consumed == pending.count {
            pending.removeAll(keepingCapacity: true)
            consumed = 0
        }
        pending.append(contentsOf: input)
    }

    /// Unpacks into `output` until the input is used up or `output` holds `limit` bytes.
    func unpack(into output: inout [UInt8], upTo limit: Int) throws(Failure) {
        while output.count < limit, hasMore {
            if isAtMemberEnd, !(try startNextMember()) { return }
            hasStarted = true
            let room = min(limit - output.count, scratch.count)
            let (status, used, made) = step(room: room, into: &output)
            consumed += used
            mayHoldOutput = made == room && status == Z_OK
            switch status {
            case Z_OK where used > 0 || made > 0: break
            case Z_STREAM_END: isAtMemberEnd = true
            // Nothing left to do with what there is: more input has to come.
            case Z_BUF_ERROR where consumed == pending.count: break
            default: throw .corrupt
            }
        }
    }

    /// - Returns: whether there is another member; zeros after the last one are padding.
    private func startNextMember() throws(Failure) -> Bool {
        guard pending[consumed] != 0 else {
            consumed = pending.count
            return false
        }
        guard inflateReset(stream) == Z_OK else { throw .corrupt }
        isAtMemberEnd = false
        return true
    }

    private func step(room: Int, into output: inout [UInt8]) -> (status: Int32, used: Int, made: Int) {
        var status = Z_OK
        var used = 0
        pending.withUnsafeMutableBufferPointer { input in
            stream.pointee.next_in = input.baseAddress.map { $0 + consumed }
            stream.pointee.avail_in = UInt32(input.count - consumed)
            stream.pointee.next_out = scratch.baseAddress
            stream.pointee.avail_out = UInt32(room)
            status = inflate(stream, Z_NO_FLUSH)
            used = input.count - consumed - Int(stream.pointee.avail_in)
        }
        let made = room - Int(stream.pointee.avail_out)
        output.append(contentsOf: UnsafeBufferPointer(rebasing: scratch[..<made]))
        return (status, used, made)
    }
}
