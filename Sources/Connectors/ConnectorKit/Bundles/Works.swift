// SPDX-License-Identifier: Apache-2.0

public import OpenCTI
public import Settings

/// Reports of runs and requests, as the platform's console shows them. Where an operator has turned the queue off, every
/// call does nothing, as in the originals. Source: OpenCTI protocol, 6.
public struct Works: Sendable {
    private let client: OpenCTIClient
    private let connector: String
    private let version: PlatformVersion?
    private let isOn: Bool

    /// - Parameter connector: the id that the works are of, where it is not the configured one.
    public init(
        _ client: OpenCTIClient, connector: String? = nil, settings: ResolvedSettings, version: PlatformVersion?
    ) {
        self.init(
            client, connector: connector ?? settings[OpenCTISettings.id], version: version,
            isOn: settings[BundleSettings.sendsToQueue])
    }

    init(_ client: OpenCTIClient, connector: String, version: PlatformVersion?, isOn: Bool) {
        self.client = client
        self.connector = connector
        self.version = version
        self.isOn = isOn
    }

    /// A new work, for a run that has something to send.
    ///
    /// - Parameter isMultiPart: several bundles come, so that it is over only when reported as processed.
    /// - Returns: `nil` where works are off.
    public func begin(_ name: String, isMultiPart: Bool = false) async throws(OpenCTIError) -> String? {
        guard isOn else { return nil }
        return try await client.addWork(connector: connector, name: name, isMultiPart: isMultiPart, on: version)
    }

    public func received(_ work: String?, _ message: String) async throws(OpenCTIError) {
        guard isOn, let work else { return }
        try await quietly { (client) throws(OpenCTIError) in try await client.received(work: work, message: message) }
    }

    /// - Parameter message: for an analyst.
    public func processed(_ work: String?, _ message: String, isError: Bool = false) async throws(OpenCTIError) {
        guard isOn, let work else { return }
        try await quietly {
            (client) throws(OpenCTIError) in
            try await client.processed(work: work, message: message, isError: isError)
        }
    }

    /// Announces messages before they are published. What a run that was cut short has announced already is not
    /// announced again.
    ///
    /// - Parameter mayBeRepeated: an earlier try may have come this far: the work is read first.
    /// - Returns: false when the work was deleted: nothing is to be sent for it.
    public func expect(
        _ count: Int, of work: String?, mayBeRepeated: Bool = false
    ) async throws(OpenCTIError) -> Bool {
        guard isOn, let work else { return true }
        if mayBeRepeated {
            let progress = try await progress(of: work)
            switch progress {
            case .gone: return false
            // Where we may not read works: rather a work that closes early than one that never does.
            case .hidden, .processed: return true
            case .open, .taken: if progress.hasAnnounced(count) { return true }
            }
        }
        do throws(OpenCTIError) {
            return try await client.addExpectations(work: work, count: count)
        } catch {
            // The answer was lost, not the call, perhaps: adding again would keep the work open for ever.
            guard case .transport = error else { throw error }
            guard try await progress(of: work).hasAnnounced(count) else { throw error }
            return true
        }
    }

    /// How far a work has come.
    enum Progress: Sendable, Hashable {
        /// Deleted in the console.
        case gone
        /// The token's user may not read works.
        case hidden
        /// Messages announced.
        case open(expected: Int)
        /// All that was announced has been taken; nobody has reported the end.
        case taken(count: Int)
        /// Reported as processed.
        case processed

        /// Whether so many messages, or more, are announced already.
        func hasAnnounced(_ count: Int) -> Bool {
            switch self {
            case .open(let announced), .taken(let announced): announced >= count
            case .gone, .hidden, .processed: false
            }
        }
    }

    func progress(of work: String) async throws(OpenCTIError) -> Progress {
        do throws(OpenCTIError) {
            guard let state = try await client.work(work) else { return .gone }
            if state.isProcessed { return .processed }
            if state.isComplete, state.expected > 0 { return .taken(count: Int(clamping: state.expected)) }
            return .open(expected: Int(clamping: state.expected))
        } catch {
            if error.refusalCode?.family == .permission { return .hidden }
            if error.refusalCode?.family == .gone { return .gone }
            throw error
        }
    }

    func ping(_ work: String?) async throws(OpenCTIError) {
        guard isOn, let work, version?.hasWorkPing ?? false else { return }
        try await quietly { (client) throws(OpenCTIError) in try await client.ping(work: work) }
    }

    /// A work that somebody deleted meanwhile needs no report.
    private func quietly(_ call: (OpenCTIClient) async throws(OpenCTIError) -> Void) async throws(OpenCTIError) {
        do throws(OpenCTIError) { try await call(client) } catch {
            guard error.refusalCode?.family != .gone else { return }
            throw error
        }
    }
}
