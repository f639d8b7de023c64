// SPDX-License-Identifier: Apache-2.0

public import Base
public import Telemetry

/// Runs connectors side by side. One that fails is started again with back-off and never takes another down.
public struct Supervisor: Sendable {
    public struct Member: Sendable {
        public var name: String
        /// Makes the connector anew for each start, with the settings in force then.
        public var make: @Sendable () throws -> any Connector
        public init(name: String, make: @escaping @Sendable () throws -> any Connector) {
            self.name = name
            self.make = make
        }
    }

    /// How a member ended.
    public enum End: Sendable {
        case stopped
        /// Nothing but a change of the settings helps.
        case misconfigured(String)
        /// A connector that runs once has done so; whether all went well.
        case finished(isComplete: Bool)
        /// One that runs once could not begin, or was cut short.
        case failed(String)
    }

    private let log: Log
    private let health: Health
    private let time: any TimeSource
    private let firstPause: Duration
    private let longestPause: Duration

    public init(
        log: Log, health: Health, time: any TimeSource = SystemTime(), firstPause: Duration = .seconds(1),
        longestPause: Duration = .seconds(60)
    ) {
        self.log = log
        self.health = health
        self.time = time
        self.firstPause = firstPause
        self.longestPause = longestPause
    }

    /// Returns when every member has stopped or can't go on.
    public func run(_ members: [Member], until stop: StopSignal) async -> [String: End] {
        await withTaskGroup(of: (String, End).self) { group in
            for member in members { group.addTask { (member.name, await keep(member, until: stop)) } }
            var ends: [String: End] = [:]
            for await (name, end) in group { ends[name] = end }
            return ends
        }
    }

    @concurrent
    private func keep(_ member: Member, until stop: StopSignal) async -> End {
        var pause = firstPause
        while !stop.isRaised {
            let started = time.uptime
            var runsOnce = false
            do {
                let connector = try member.make()
                runsOnce = connector.runsOnce
                try await connector.run(until: stop)
                if runsOnce { return .finished(isComplete: true) }
                if stop.isRaised { return .stopped }
                log.warning("A connector ended by itself and is started again", .field("flow", member.name))
            } catch let error as ConnectorError {
                if case .configuration = error {
                    health.component(member.name).report(.notReady(error.description))
                    log.error("A connector can't start", .field("flow", member.name), .cause(error))
                    return .misconfigured(error.description)
                }
                // The connector has told what is missing.
                if case .incomplete = error { return .finished(isComplete: false) }
                if stop.isRaised { return .stopped }
                if case .restart(let reason) = error {
                    log.info("A connector starts again", .field("flow", member.name), .field("reason", reason))
                    // A short pause all the same: a platform that resets its state for ever must not be hammered.
                    pause = firstPause
                    await stop.wait(atMost: pause, on: time)
                    continue
                }
                tell(member, error)
                if runsOnce { return .failed(error.description) }
            } catch {
                if stop.isRaised { return .stopped }
                tell(member, error)
                if runsOnce { return .failed("\(error)") }
            }
            // A run that lasted shows that the fault is new: the back-off starts from the beginning.
            if time.uptime - started > longestPause { pause = firstPause }
            await stop.wait(atMost: pause, on: time)
            pause = min(pause * 2, longestPause)
        }
        return .stopped
    }

    private func tell(_ member: Member, _ error: any Error) {
        health.component(member.name).report(.notReady("\(error)"))
        log.error("A connector failed and is started again", .field("flow", member.name), .cause(error))
    }
}
