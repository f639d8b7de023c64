// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

@testable import HTTPClient

/// The rules alone, with moments as numbers: what they do to real connections is in the other suites.
@Suite("Time limits of a transfer") struct TimeLimitTests {
    private func transfer(deadline: Int?, isStream: Bool, head: Int? = nil, idle: Int? = nil) throws -> Transfer {
        var configuration = HTTPConfiguration()
        configuration.timeouts.head = head.map { .seconds($0) }
        var request = HTTPRequest(.get, "http://127.0.0.1/")
        request.idleTimeout = idle.map { .seconds($0) }
        return Transfer(
            try Hop(request), try CurlOptions(configuration), upload: .none,
            sink: isStream ? StreamedAnswer() : WholeAnswer(),
            deadline: Deadline(uptime: deadline.map { .seconds($0) }))
    }

    private func receiveHead(_ transfer: Transfer) {
        for line in ["HTTP/1.1 200 OK\r\n", "\r\n"] {
            _ = Array(line.utf8).withUnsafeBytes { transfer.receiveHead($0) }
        }
    }

    @Test func `a whole answer has its deadline to the end`() throws {
        let transfer = try transfer(deadline: 10, isStream: false)
        #expect(transfer.overdue(at: .seconds(9)) == nil)
        #expect(transfer.overdue(at: .seconds(10)) == .total)
        receiveHead(transfer)
        #expect(transfer.overdue(at: .seconds(10)) == .total)
        #expect(transfer.nextCheck == .seconds(10))
    }

    @Test func `a stream has its deadline up to the head`() throws {
        let transfer = try transfer(deadline: 10, isStream: true)
        #expect(transfer.overdue(at: .seconds(10)) == .head)
        receiveHead(transfer)
        #expect(transfer.overdue(at: .seconds(100_000)) == nil)
    }

    // covers: bug:21, stream:watchdog
    @Test func `silence is bounded before and after the head`() throws {
        let transfer = try transfer(deadline: nil, isStream: true, head: 5, idle: 3)
        #expect(transfer.nextCheck == .seconds(5))
        #expect(transfer.overdue(at: .seconds(5)) == .head)
        receiveHead(transfer)
        #expect(transfer.nextCheck == .seconds(3))
        #expect(transfer.overdue(at: .milliseconds(2999)) == nil)
        #expect(transfer.overdue(at: .seconds(3)) == .idle)
    }

    // covers: stream:watchdog
    @Test func `a stream held back by its reader is not silent`() throws {
        let transfer = try transfer(deadline: nil, isStream: true, idle: 3)
        receiveHead(transfer)
        let piece = [UInt8](repeating: 0, count: 128 << 10)
        #expect(piece.withUnsafeBytes { transfer.receiveBody($0) } == piece.count)
        #expect(piece.withUnsafeBytes { transfer.receiveBody($0) } != piece.count)
        #expect(transfer.overdue(at: .seconds(600)) == nil)
        #expect(transfer.nextCheck == .seconds(603))
    }
}
