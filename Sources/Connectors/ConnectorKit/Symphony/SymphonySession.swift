// SPDX-License-Identifier: Apache-2.0

import Base
public import Engine
public import Falcon
public import HTTPClient
import JSON
import Settings
import Telemetry

/// What a connector that Sekoia's platform can start needs besides its work: secrets, the data path, the original's
/// listeners. Open one at the begin of `run`, ``close()`` it at the end.
public struct SymphonySession: Sendable {
    /// `nil` where neither drop-in use nor a setting names one.
    public let data: (any DataFolder)?
    public let pulse: SymphonyPulse
    public let platform: SymphonyPlatform?
    /// For the platform and for Sekoia's own services.
    public let transport: any HTTPTransport
    private let clientSecret: Secret?
    private let context: ConnectorContext
    private let listeners: SymphonyListeners?

    /// - Parameters:
    ///   - silence: after which the original's health says 500; zero for never.
    ///   - listens: whether the original's ports are opened; commands that only look leave them to the service.
    ///   - parameters: the platform's; the process's environment unless a test gives its own.
    /// - Throws: ``ConnectorError`` when the platform refuses to give the secrets and none is configured.
    public static func open(
        _ context: ConnectorContext, silence: Duration, listens: Bool = true,
        parameters: SymphonyParameters? = nil
    ) async throws -> SymphonySession {
        let settings = context.settings
        let parameters = parameters ?? SymphonyParameters(environment: SettingsInput.process().environment)
        let transport = try Connections(context).plainTransport("sekoia")
        let platform = SymphonyPlatform(parameters, transport: transport, time: context.time)
        var secret = settings[SymphonySettings.clientSecret]
        if let platform {
            do {
                if let text = try await platform.secrets()["client_secret"]?.string { secret = Secret(text) }
            } catch {
                // Compat: the older SDK went on with what the configuration holds.
                guard secret != nil else { throw ConnectorError.refused(code: error.code, reason: error.description) }
                context.log.warning("The platform gave no secrets; the configured ones are used", .cause(error))
            }
        }
        let data: (any DataFolder)? = try settings[SymphonySettings.dataPath].map { folder in
            try openDataFolder(DataPath(parameters, folder: folder.text), transport: transport, time: context.time)
        }
        let pulse = SymphonyPulse(time: context.time, threshold: silence)
        let ports = (settings[SymphonySettings.livenessPort], settings[SymphonySettings.metricsPort])
        let listeners =
            !listens || (ports.0 == nil && ports.1 == nil)
            ? nil
            : SymphonyListeners(
                healthPort: ports.0, metricsPort: ports.1, pulse: pulse, metrics: context.metrics, log: context.log)
        return SymphonySession(
            data: data, pulse: pulse, platform: platform, transport: transport, clientSecret: secret, context: context,
            listeners: listeners)
    }

    /// The tenant's client, with the secret of the platform or of the settings, inside the tenant's request budget.
    ///
    /// - Throws: ``ConnectorError/configuration(setting:reason:)`` when there is no secret at all.
    public func falcon() throws -> FalconClient {
        guard let clientSecret else {
            throw ConnectorError.configuration(
                setting: "crowdstrike.client_secret",
                reason: "It is neither in the module configuration nor given by the platform.")
        }
        return try Connections(context).falcon(secret: clientSecret)
    }

    public func close() async { await listeners?.stop() }
}
