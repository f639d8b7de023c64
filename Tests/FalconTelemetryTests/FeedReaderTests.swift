// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import HTTPClient
import Telemetry
import TestKit
import Testing

@testable import FalconTelemetry

@Suite("One connection to a feed") struct FeedReaderTests {
    private let time = TestTime()
    private let pipe: FeedPipe

    init() { pipe = FeedPipe(root: "https://firehose.example/v1/0", lastOffset: 41, now: .zero) }

    private func reader(_ transport: ScriptedTransport) throws -> FeedReader {
        let credentials = try FalconCredentials(clientID: "id", clientSecret: Secret("secret"))
        return FeedReader(
            falcon: try FalconClient(transport: transport, credentials: credentials, time: time),
            feed: EventFeed(
                url: "https://firehose.example/v1/0?appId=x", token: Secret("t"), refreshURL: "https://a.example/r",
                refreshInterval: .seconds(1800)),
            appID: "x", pipe: pipe, begin: FeedBeginning(pipe.snapshot, wanted: .oldest), eventTypes: [],
            idle: .seconds(60),
            events: Events(log: .silent, metrics: Metrics(time: time), flow: "f", key: Secret(""), time: time),
            time: time)
    }

    /// Takes everything that is in the pipe up to the end of the connection.
    private func drain() async -> [String] {
        var pieces: [String] = []
        while let input = await pipe.inputs.receive() {
            switch input {
            case .piece(let bytes): pieces.append(String(decoding: bytes, as: UTF8.self))
            case .ended(let seen):
                _ = seen.offer(())
                return pieces
            case .connected, .tick: break
            }
        }
        return pieces
    }

    // covers: reader:pause
    @Test func `gives up a connection from which nothing was taken for ten minutes, and says so`() async throws {
        let transport = ScriptedTransport()
        transport.answer(.stream((1...9).map { "{\"n\":\($0)}\n" }))
        let reader = try reader(transport)
        async let ended = reader.run()
        await time.waitForSleepers(2)
        while pipe.inputs.count < 2 || pipe.waitingSince == nil { await Task.yield() }
        time.advance(by: .seconds(599))
        #expect(pipe.snapshot.isConnected)
        time.advance(by: .seconds(1))
        while pipe.snapshot.isConnected { await Task.yield() }
        #expect(pipe.snapshot.end?.contains("nothing is taken") == true)
        // What had been read ahead is still good; the rest comes again behind the offset.
        #expect(await drain() == ["{\"n\":1}\n"])
        let end = await ended
        #expect(end.isPaused && end.error == nil && end.lasted == .seconds(600))
    }

    @Test func `goes on for as long as pieces are taken now and then`() async throws {
        let transport = ScriptedTransport()
        transport.answer(.stream((1...6).map { "{\"n\":\($0)}\n" }))
        let reader = try reader(transport)
        async let ended = reader.run()
        await time.waitForSleepers(2)
        var taken = 0
        while taken < 3 {
            // This piece is the one that waits, not the one before it.
            while pipe.inputs.count < 2 || pipe.waitingSince != time.uptime { await Task.yield() }
            time.advance(by: .seconds(400))
            _ = await pipe.inputs.receive()
            taken += 1
        }
        _ = await drain()
        let end = await ended
        #expect(!end.isPaused && end.error == nil)
        #expect(transport.requests[0].request.url.hasSuffix("offset=41"))
    }

    // covers: reader:newest
    @Test func `passes over nothing where the newest was asked for and the connection broke before the first event`() {
        let fresh = FeedPipe(root: "r", lastOffset: 0, now: .zero)
        #expect(FeedBeginning(fresh.snapshot, wanted: .newest).start == .newest)
        fresh.connected(at: Instant(milliseconds: 1_771_060_000_000))
        fresh.disconnected("cut", at: .seconds(1))
        fresh.connected(at: Instant(milliseconds: 1_771_070_000_000))
        let again = FeedBeginning(fresh.snapshot, wanted: .newest)
        #expect(again.start == .oldest && again.notBefore == 1_771_059_940_000)
        #expect(FeedBeginning(fresh.snapshot, wanted: .offset(9)).start == .offset(9))
        #expect(FeedBeginning(pipe.snapshot, wanted: .newest) == FeedBeginning(pipe.snapshot, wanted: .oldest))
    }
}
