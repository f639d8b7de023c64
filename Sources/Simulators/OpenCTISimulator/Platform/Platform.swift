// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import SimulatorKit

/// The platform's whole memory. The server's threads use it under a lock.
struct Platform: Sendable {
    enum Access: String, Sendable, CaseIterable {
        case running
        /// An operator stopped the stream.
        case stopped
        /// The token's user is no member of the stream.
        case `private`
        /// Readable without a token.
        case `public`
    }
    struct Tallies: Sendable {
        var registrations = 0
        var pings = 0
        var connections = 0
        var openConnections = 0
        /// Data frames.
        var events = 0
        var bytes = 0
    }

    var configuration: OpenCTIConfiguration
    var release: Release
    var access = Access.running
    var database = Database()
    var log = EventLog()
    var connectors: [String: ConnectorRecord] = [:]
    var works: [String: WorkRecord] = [:]
    var knowledge = Knowledge()
    /// The moment in the last work's id that a request for enrichment made.
    var lastAsked: Instant?
    /// Messages for connectors that are sent once the answer is made.
    var outbox: [(connector: String, message: [UInt8])] = []
    var cutsLeft: Int?
    var tallies = Tallies()
    let plain: PlainFeed
    var feed: Feed?
    /// The lines of the feed's expected table at its end, by whether deletes are permanent.
    var finalLines: [Bool: [[UInt8]]] = [:]
    /// When the feed's live steps began, on the clock's uptime.
    var liveSince: Duration?
    /// Numbers of the feed's indicators in the database, and of the author and the marking that they refer to.
    var feedElements: [Int] = []
    var common: [Int] = []
    /// Streams that were opened before a reset end.
    var generation = 0

    init(_ configuration: OpenCTIConfiguration) {
        self.configuration = configuration
        release = Release(parsing: configuration.version) ?? Release(7, 260_817)
        cutsLeft = configuration.cut?.times
        plain = PlainFeed(count: configuration.plainCount, seed: configuration.options.seed)
        if plain.count > 0 { log.issued(Position(milliseconds: PlainFeed.milliseconds(plain.count - 1))) }
        startFeed()
    }

    /// Changes `version`; `false` when it cannot be read.
    mutating func change(version: String) -> Bool {
        guard let release = Release(parsing: version) else { return false }
        self.release = release
        configuration.version = version
        return true
    }

    mutating func change(cut: StreamCut?) {
        configuration.cut = cut
        cutsLeft = cut?.times
    }

    /// The cut for a new connection, used up by one.
    mutating func nextCut() -> StreamCut? {
        guard let cut = configuration.cut, cutsLeft != 0 else { return nil }
        cutsLeft = cutsLeft.map { $0 - 1 }
        return cut
    }
}

extension Platform {
    /// Why a stream is not to be had: status and reason. Source: OpenCTI protocol, 4.2.
    func refusal(ofStream id: String, token: String) -> (Int, String)? {
        let isKnown = token == configuration.token
        let isAllowed = configuration.capabilities.contains("BYPASS")
        if id == "live" {
            return isKnown && isAllowed ? nil : (401, "You are not authorized to use this stream")
        }
        guard id == configuration.streamID else {
            return isKnown
                ? (401, "This live stream doesn't exist")
                : (401, "You are not authenticated, please check your credentials")
        }
        switch access {
        case .stopped: return (410, "This live stream is stopped")
        case .public: return nil
        case .running, .private: break
        }
        guard isKnown else { return (401, "You are not authenticated, please check your credentials") }
        guard access == .running, isAllowed || configuration.capabilities.contains("TAXIIAPI") else {
            return (401, "You need to have access to this live stream")
        }
        return nil
    }
}
