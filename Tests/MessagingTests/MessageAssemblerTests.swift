// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Messaging

@Suite("Messages out of frames") struct MessageAssemblerTests {
    private func add(_ bytes: [UInt8], to assembler: inout MessageAssembler) throws -> AMQPEvent? {
        try bytes.withUnsafeBytes { try assembler.fragment($0) }
    }

    @Test func `fragments become one body`() throws {
        var assembler = MessageAssembler(maxBytes: 10)
        try assembler.begin(.delivery(tag: 7, isRedelivered: true))
        #expect(try assembler.header(bodyBytes: 3, messageID: "", deliveryCount: 2) == nil)
        #expect(try add([1, 2], to: &assembler) == nil)
        let event = try add([3], to: &assembler)
        #expect(
            event
                == .message(
                    ReceivedMessage(tag: 7, isRedelivered: true, deliveryCount: 2, body: [1, 2, 3], cutFrom: nil)))
        // Ready for the next one, here without a body.
        try assembler.begin(.returned)
        #expect(try assembler.header(bodyBytes: 0, messageID: "12", deliveryCount: nil) == .returned(id: "12"))
    }

    // covers: bus:too-large
    @Test func `of a body over the limit only the beginning is kept`() throws {
        var assembler = MessageAssembler(maxBytes: 10)
        try assembler.begin(.delivery(tag: 1, isRedelivered: false))
        #expect(try assembler.header(bodyBytes: 9000, messageID: "", deliveryCount: nil) == nil)
        #expect(try add([UInt8](repeating: 1, count: 5000), to: &assembler) == nil)
        guard case .message(let message) = try add([UInt8](repeating: 2, count: 4000), to: &assembler) else {
            Issue.record("no message")
            return
        }
        #expect(message.cutFrom == 9000)
        #expect(message.body == [UInt8](repeating: 1, count: MessageAssembler.keptOfLarge))
    }

    @Test func `frames in an impossible order are refused`() throws {
        var assembler = MessageAssembler(maxBytes: 10)
        #expect(throws: MessageAssembler.FrameError.self) { try add([1], to: &assembler) }
        #expect(throws: MessageAssembler.FrameError.self) {
            try assembler.header(bodyBytes: 1, messageID: "", deliveryCount: nil)
        }
        try assembler.begin(.returned)
        #expect(throws: MessageAssembler.FrameError.self) { try assembler.begin(.returned) }
        _ = try assembler.header(bodyBytes: 1, messageID: "", deliveryCount: nil)
        #expect(throws: MessageAssembler.FrameError.self) { try add([1, 2], to: &assembler) }
    }

    // covers: bus:frames
    @Test(arguments: 0..<200)
    func `whatever a broker sends is a message, whole or cut, or ends the connection`(_ seed: UInt64) throws {
        var random = Steps(state: seed)
        let limit = 64
        var assembler = MessageAssembler(maxBytes: limit)
        var sent: [UInt8] = []
        var announced = 0
        for _ in 0..<500 {
            do throws(MessageAssembler.FrameError) {
                var event: AMQPEvent?
                // Mostly in order: only then is there anything to see.
                switch random.next() % 8 {
                case 0, 1:
                    try assembler.begin(random.next() % 2 == 0 ? .returned : .delivery(tag: 1, isRedelivered: false))
                case 2, 3:
                    let size = Int(random.next() % 6000)
                    event = try assembler.header(bodyBytes: UInt64(size), messageID: "1", deliveryCount: nil)
                    (announced, sent) = (size, [])
                default:
                    let piece = (0..<Int(random.next() % 3000)).map { UInt8(truncatingIfNeeded: $0) }
                    event = try fragment(piece, of: &assembler)
                    sent += piece
                }
                guard case .message(let message) = event else { continue }
                #expect(sent.count == announced)
                #expect(message.cutFrom == (announced > limit ? announced : nil))
                let kept = announced > limit ? MessageAssembler.keptOfLarge : announced
                #expect(message.body == Array(sent.prefix(kept)))
            } catch {
                // The connection ends here; the next one begins anew.
                assembler = MessageAssembler(maxBytes: limit)
            }
        }
    }

    private func fragment(
        _ piece: [UInt8], of assembler: inout MessageAssembler
    ) throws(MessageAssembler.FrameError) -> AMQPEvent? {
        let result = piece.withUnsafeBytes { bytes -> Result<AMQPEvent?, MessageAssembler.FrameError> in
            do throws(MessageAssembler.FrameError) { return .success(try assembler.fragment(bytes)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private struct Steps: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
    }
}
