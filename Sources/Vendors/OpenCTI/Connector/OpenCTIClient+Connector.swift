// SPDX-License-Identifier: Apache-2.0

import JSON

extension OpenCTIClient {
    /// Asks for the version, which also proves the URL and the token.
    ///
    /// - Returns: `nil` for a version that is no two numbers: treat it as the smallest platform.
    public func platformVersion() async throws(OpenCTIError) -> PlatformVersion? {
        let data = try await execute(OpenCTIDocuments.healthCheck)
        guard let text = data["about"]?["version"]?.string else {
            throw .malformed(operation: "healthCheck", reason: "it names no version")
        }
        return PlatformVersion(parsing: text)
    }

    /// Registers the connector; the normal way to start and restart.
    ///
    /// Only fields that `version` has are sent. Should the platform refuse them nevertheless, the smallest registration is
    /// tried once. Registering never loses state, unlike unregistering, which this client cannot do.
    public func register(
        _ profile: ConnectorProfile, on version: PlatformVersion?
    ) async throws(OpenCTIError) -> Registration {
        do throws(OpenCTIError) {
            return try await register(profile, as: version, isReduced: false)
        } catch {
            guard case .refused(let refusal) = error, refusal.code.family == .document else { throw error }
            let smallest = version.map { min($0, PlatformVersion(5, 4)) }
            return try await register(profile, as: smallest, isReduced: true)
        }
    }

    private func register(
        _ profile: ConnectorProfile, as version: PlatformVersion?, isReduced: Bool
    ) async throws(OpenCTIError) -> Registration {
        let data = try await execute(
            profile.document(for: version), variables: ["input": profile.input(for: version)])
        return try Registration(data["registerConnector"] ?? .null, isReduced: isReduced)
    }

    /// One ping: stores `state` and tells what the platform keeps.
    ///
    /// - Parameters:
    ///   - state: JSON text; the text `null` for no state.
    ///   - info: from 6.2 on, else left out.
    /// - Returns: the platform's state text; empty after a reset in the console.
    /// - Throws: a refusal with code `FUNCTIONAL_ERROR` when the platform does not know the connector (any more).
    public func ping(
        connector id: String, state: String, info: ConnectorInfo = ConnectorInfo(), on version: PlatformVersion?
    ) async throws(OpenCTIError) -> String? {
        var variables: JSONObject = ["id": .string(id), "state": .string(state)]
        let withInfo = version?.hasConnectorInfo ?? false
        if withInfo { variables["connectorInfo"] = info.json }
        let document = withInfo ? OpenCTIDocuments.ping : OpenCTIDocuments.pingEarly
        let data = try await execute(document, variables: variables)
        return data["pingConnector"]?["connector_state"]?.string
    }

    /// Messages and bytes waiting in the connector's push queue. Needs MODULES.
    public func queueDepth(of id: String) async throws(OpenCTIError) -> (messages: Int64, bytes: Int64) {
        let data = try await execute(OpenCTIDocuments.connectorQueue, variables: ["id": .string(id)])
        let details = data["connector"]?["connector_queue_details"]
        func whole(_ key: String) -> Int64 { details?[key]?.double.map { Int64(max(0, min($0, 9e15))) } ?? 0 }
        return (whole("messages_number"), whole("messages_size"))
    }
}

/// What the ping says of a connector's schedule. Source: OpenCTI protocol, 2.4.
public struct ConnectorInfo: Sendable, Hashable {
    public var runAndTerminate = false
    public var buffering = false
    /// MB that the push queue may hold before runs are skipped.
    public var queueThreshold = 500.0
    public var queueMessagesSize = 0.0
    /// ISO 8601.
    public var nextRun: String?
    public var lastRun: String?

    public init() {}

    var json: JSONValue {
        [
            "run_and_terminate": .bool(runAndTerminate), "buffering": .bool(buffering),
            "queue_threshold": .double(queueThreshold), "queue_messages_size": .double(queueMessagesSize),
            "next_run_datetime": nextRun.map(JSONValue.string) ?? .null,
            "last_run_datetime": lastRun.map(JSONValue.string) ?? .null,
        ]
    }
}
