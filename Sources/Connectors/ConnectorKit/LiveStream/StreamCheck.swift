// SPDX-License-Identifier: Apache-2.0

import Base
public import Engine
public import OpenCTI
import Settings

/// `check` of a platform and its live stream: version, user, capabilities, the stream and its filters. Reads only.
public struct StreamCheck: Sendable {
    private let context: ConnectorContext
    private let connections: Connections
    private let filters: StreamFilters

    public init(_ context: ConnectorContext, filters: StreamFilters) {
        self.context = context
        connections = Connections(context)
        self.filters = filters
    }

    public func run(_ report: @Sendable (CheckLine) -> Void) async {
        do {
            let client = try await PlatformCheck(context).run(
                needing: [("TAXIIAPI", "to read live streams")], report)
            await checkStream(client, report)
        } catch {
            report(.init(failure: error, of: "opencti"))
        }
    }

    private func checkStream(_ client: OpenCTIClient, _ report: @Sendable (CheckLine) -> Void) async {
        let id = context.settings[LiveStreamSettings.id]
        guard id != "live" else {
            report(
                .init(
                    .warning, "opencti.stream",
                    "The stream “live” carries everything and needs BYPASS. A live stream of its own with the filters "
                        + "\(filters.summary) is faster and safer."))
            return
        }
        do {
            guard let stream = try await client.streamCollection(id) else {
                report(
                    .init(
                        .problem, "opencti.stream",
                        "There is no live stream \(id), or the user may not see it. Create it under Data sharing › Live "
                            + "streams, and add the user to its accesses.", isRemote: true))
                return
            }
            report(
                stream.isLive
                    ? .init(.ok, "opencti.stream", "The live stream “\(stream.name ?? id)” is started.")
                    : .init(
                        .problem, "opencti.stream", "The live stream “\(stream.name ?? id)” is stopped. Start it.",
                        isRemote: true))
            for line in filters.judge(stream.filters) { report(line) }
        } catch {
            report(.init(.problem, error.code.text, error.description, isRemote: true))
        }
    }
}

/// `check` of a platform: that it answers, and what the token's user may do. Reads only.
public struct PlatformCheck: Sendable {
    private let connections: Connections

    public init(_ context: ConnectorContext) { connections = Connections(context) }

    /// - Parameters:
    ///   - capabilities: those needed besides `CONNECTORAPI`, and what for.
    ///   - wishes: those without which only a part does not work.
    ///   - registration: what `CONNECTORAPI` is for.
    /// - Throws: what kept it from asking.
    @discardableResult
    public func run(
        needing capabilities: [(name: String, need: String)], wishing wishes: [(name: String, need: String)] = [],
        registering registration: String = "to register and keep its state", _ report: @Sendable (CheckLine) -> Void
    ) async throws -> OpenCTIClient {
        let client = try connections.openCTI()
        let version = try await client.platformVersion()
        report(.init(.ok, "opencti", "OpenCTI \(version.map { "\($0)" } ?? "of unknown version") answers."))
        let user = try await client.me()
        func check(_ capability: String, _ need: String, _ verdict: CheckLine.Verdict) {
            report(
                user.has(capability)
                    ? .init(.ok, "opencti.capability", "The user “\(user.name)” has \(capability).")
                    : .init(
                        verdict, "opencti.capability",
                        "The user “\(user.name)” lacks \(capability), needed \(need). Add it to the user's role.",
                        isRemote: true))
        }
        for (capability, need) in [("CONNECTORAPI", registration)] + capabilities { check(capability, need, .problem) }
        for (capability, need) in wishes { check(capability, need, .warning) }
        return client
    }
}

extension CheckLine {
    /// What kept a check from going on. What a connector says of itself is no fault of the remote side.
    public init(failure error: any Error, of subject: String) {
        switch error {
        case let error as ConnectorError: self.init(.problem, error.code.text, error.description)
        case let error as any ActionableError:
            self.init(.problem, error.code.text, error.description, isRemote: true)
        default: self.init(.problem, subject, "\(error)", isRemote: true)
        }
    }
}

/// Compares a live stream's filters with what a connector needs.
public struct StreamFilters: Sendable {
    /// One filter of the procedure.
    public struct Wanted: Sendable {
        /// As OpenCTI names it: `entity_type`.
        public var key: String
        /// As the console shows it: `Entity type`.
        public var name: String
        /// In lower case; each must be let through.
        public var values: [String]
        /// What an open or wider filter leads to, and what to do.
        public var consequence: String
        /// Whether a filter that is missing is worth a warning; otherwise it is only said.
        public var isRecommended: Bool

        public init(
            _ key: String, _ name: String, _ values: [String], _ consequence: String, isRecommended: Bool = true
        ) {
            self.key = key
            self.name = name
            self.values = values
            self.consequence = consequence
            self.isRecommended = isRecommended
        }
    }

    public var wanted: [Wanted]

    public init(_ wanted: [Wanted]) { self.wanted = wanted }

    /// `Entity type = Indicator, Revoked = No`
    public var summary: String {
        wanted.map { "\($0.name) = \($0.values.joined(separator: " or "))" }.joined(separator: ", ")
    }

    public func judge(_ filters: FilterGroup?) -> [CheckLine] {
        guard let filters else {
            return [.init(.warning, "opencti.stream_filter", "The live stream's filters can't be read.")]
        }
        return wanted.map { judge($0, filters) }
    }

    private func judge(_ wanted: Wanted, _ filters: FilterGroup) -> CheckLine {
        let subject = "opencti.stream_filter"
        guard let values = filters.required(wanted.key).map({ Set($0.map { $0.lowercased() }) }) else {
            return .init(
                wanted.isRecommended ? .warning : .ok, subject,
                "No filter on \(wanted.name): \(wanted.consequence)")
        }
        let listed = values.sorted().joined(separator: ", ")
        let expected = Set(wanted.values)
        if values.isDisjoint(with: expected) {
            return .init(
                .problem, subject,
                "The filter on \(wanted.name) is \(listed.isEmpty ? "never true" : listed), so nothing for this connector comes: "
                    + wanted.consequence, isRemote: true)
        }
        if values == expected { return .init(.ok, subject, "\(wanted.name) = \(listed)") }
        return .init(.warning, subject, "The filter on \(wanted.name) is \(listed): \(wanted.consequence)")
    }
}
