// SPDX-License-Identifier: Apache-2.0

public import Base
import ConnectorKit
public import Engine
import Falcon
import HTTPClient
import JSON
public import Settings
public import Telemetry

/// The response actions as a member of a configuration: the connection and options under which `sallyport action` works,
/// checked like any flow. Nothing flows by itself; running, it only tells whether the tenant would take actions.
public struct FalconActionsConnector: Connector {
    public static let declaration = ConnectorSettings(
        name: "falcon-actions", aliases: ["crowdstrike-falcon-actions"], title: "CrowdStrike Falcon response actions",
        summary:
            "The 28 response actions of Sekoia's module “CrowdStrike Falcon”: hosts, alerts, IOCs and prevention policies, "
            + "one call each with `sallyport action`.",
        settings: FalconActionsSettings.all, adapter: SymphonySettings.adapter(for: FalconActionsSettings.all))

    private let context: ConnectorContext

    public init(_ context: ConnectorContext) throws { self.context = context }

    public static func declareMetrics(in metrics: Metrics) { Connections.declareMetrics(in: metrics) }

    public var flowName: String { context.name }
    public var targetName: String { "falcon/\(Connections(context).tenant)" }

    /// The actions under this configuration.
    ///
    /// - Parameters:
    ///   - secret: the API client's, where a platform gives it.
    ///   - isRehearsal: nothing is changed; the result says what would have been sent.
    ///   - readFile: gives the file that an argument names.
    /// - Throws: ``ConnectorError/configuration(setting:reason:)``.
    public func actions(
        secret: Secret? = nil, isRehearsal: Bool = false,
        readFile: @escaping @Sendable (String) async throws -> [UInt8]
    ) throws -> FalconActions {
        var options = FalconActions.Options()
        let settings = context.settings
        options.legacyAPI =
            FalconActions.LegacyAPI(rawValue: settings[FalconActionsSettings.legacyAPI].rawValue) ?? .auto
        options.indicatorBatch = settings[FalconActionsSettings.batchSize]
        options.adoptsAny = settings[FalconActionsSettings.adopt] == .any
        options.deletesOwnOnly = settings[FalconActionsSettings.ownOnly]
        options.guards = context.guards
        guard isRehearsal else {
            return FalconActions(
                falcon: try client(secret), options: options, readFile: readFile, time: context.time, log: context.log)
        }
        var rehearsal: Rehearsal?
        let falcon = try client(secret) { transport in
            let made = Rehearsal(transport)
            rehearsal = made
            return made
        }
        return FalconActions(
            falcon: falcon, options: options, readFile: readFile, rehearsal: rehearsal, time: context.time,
            log: context.log)
    }

    /// Whether the tenant gives a token, in the original's words when it does not.
    /// Source: Sekoia.io module, 5.4.
    public func validate(secret: Secret? = nil) async -> String? {
        do {
            try await client(secret).authenticate()
            return nil
        } catch let error as FalconError {
            if case .transport = error {
                return "Failed to validate crowdstrike credentials due to network error: \(error)"
            }
            return "Failed to validate crowdstrike credentials due to HTTP error: \(error)"
        } catch let error as ConnectorError {
            return error.description
        } catch {
            return "Failed to validate crowdstrike credentials due to unknown error"
        }
    }

    private func client(
        _ secret: Secret?, through wrap: (any HTTPTransport) -> any HTTPTransport = { $0 }
    ) throws -> FalconClient {
        guard let secret = secret ?? context.settings[SymphonySettings.clientSecret] else {
            throw ConnectorError.configuration(
                setting: "crowdstrike.client_secret",
                reason: "It is neither in the module configuration nor given by the platform.")
        }
        return try Connections(context).falcon(secret: secret, through: wrap)
    }

    // MARK: Connector

    public func run(until stop: StopSignal) async throws {
        let health = context.health.component(context.name)
        do {
            try await client(nil).authenticate()
            health.report(.ok)
        } catch let error as FalconError {
            throw ConnectorError.refused(code: error.code, reason: error.description)
        }
        await stop.wait()
    }

    public func check(_ report: @Sendable (CheckLine) -> Void) async {
        do { await FalconScopes(try client(nil)).check(Self.needs, report) } catch {
            report(.init(.problem, "falcon", "\(error)"))
        }
    }

    /// The scopes of all actions, with the actions that need each.
    static var needs: [FalconScopes.Need] {
        var order: [FalconScope] = []
        var features: [FalconScope: [String]] = [:]
        for action in FalconAction.all {
            for scope in action.scopes {
                if features[scope] == nil { order.append(scope) }
                features[scope, default: []].append(action.slug)
            }
        }
        return order.map { scope in
            let optional: Set<FalconScope> = [.incidentsRead, .casesRead]
            return .init(
                scope, for: (features[scope] ?? []).joined(separator: ", "), isOptional: optional.contains(scope))
        }
    }

    public func plan(
        _ report: @escaping @Sendable (PlannedChange) -> Void, until stop: StopSignal
    ) async throws -> Accounting {
        // Nothing happens by itself.
        Accounting()
    }
}
