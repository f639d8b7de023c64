// SPDX-License-Identifier: Apache-2.0

public import Base
public import JSON

/// Pings the platform every 40 s from the registration on: shows the connector as active, stores its state, and brings
/// back a state that was reset or replaced there. The thin shell around ``StateSync``.
public actor PingLoop {
    static let period = Duration.seconds(40)

    /// What a ping brought, for logs, metrics and health.
    public enum Event: Sendable {
        case ok
        /// The local state has been replaced: restart what depends on it before returning.
        case replaced(JSONObject?)
        case registered(Registration)
        case failed(OpenCTIError)
    }

    private let client: OpenCTIClient
    private let profile: ConnectorProfile
    private let version: PlatformVersion?
    private let time: any TimeSource
    private let state: @Sendable () async -> JSONObject?
    private let handle: @Sendable (Event) async -> Void
    private var sync: StateSync
    private var isPinging = false

    /// - Parameters:
    ///   - state: the state to store: only positions that are durable here.
    ///   - handle: called for each ping, in order; a replaced state must be in force on return.
    public init(
        client: OpenCTIClient, profile: ConnectorProfile, registration: Registration, version: PlatformVersion?,
        time: any TimeSource = SystemTime(), state: @escaping @Sendable () async -> JSONObject?,
        handle: @escaping @Sendable (Event) async -> Void
    ) {
        self.client = client
        self.profile = profile
        self.version = version
        self.time = time
        self.state = state
        self.handle = handle
        sync = StateSync(registered: registration.state)
    }

    /// Pings until the task is cancelled, the first time at once.
    public func run() async {
        var next = time.uptime
        while !Task.isCancelled {
            await ping()
            // A slow ping does not make the next one come early.
            next = max(next + Self.period, time.uptime)
            do { try await time.sleep(untilUptime: next) } catch { return }
        }
    }

    /// Pings once between two periods, for a state that should be known at once.
    public func tell() async {
        while isPinging {
            do { try await time.sleep(for: .milliseconds(20)) } catch { return }
        }
        await ping()
    }

    /// The last word before the process ends: stores the state, and stores it once more when the platform held another,
    /// so that ours stays. A reset in the console is honoured, not overwritten. Call it when ``run()`` has ended.
    public func force() async {
        for _ in 0..<2 {
            let text = sync.text(for: await state())
            let answer: String?
            do throws(OpenCTIError) {
                answer = try await client.ping(connector: profile.id, state: text, on: version)
            } catch {
                await handle(.failed(error))
                return
            }
            switch sync.answered(answer) {
            case .inStep: return await handle(.ok)
            case .replace(nil): return await handle(.replaced(nil))
            default: continue
            }
        }
    }

    private func ping() async {
        guard !isPinging else { return }
        isPinging = true
        defer { isPinging = false }
        let text = sync.text(for: await state())
        let outcome: StateSync.Outcome
        do throws(OpenCTIError) {
            outcome = sync.answered(try await client.ping(connector: profile.id, state: text, on: version))
        } catch {
            outcome = sync.failed(error)
            await handle(.failed(error))
        }
        switch outcome {
        case .inStep: await handle(.ok)
        case .replace(let state): await handle(.replaced(state))
        case .registerAgain: await register()
        case .failed: break
        }
    }

    private func register() async {
        do throws(OpenCTIError) {
            let registration = try await client.register(profile, on: version)
            await handle(.registered(registration))
            if case .replace(let state) = sync.registered(registration.state) { await handle(.replaced(state)) }
        } catch {
            await handle(.failed(error))
        }
    }
}
