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
}
