// SPDX-License-Identifier: Apache-2.0

import Base
import ConnectorKit
import HTTPClient
import Settings
import Telemetry

/// The log's copy for Sekoia's platform, where it has started us.
struct PlatformLog {
    private let logs: SymphonyLogs
    private let platform: SymphonyPlatform
    private let task: Task<Void, Never>
    private let output: LogOutput

    /// `nil` where no platform wants the lines.
    static func open(_ configuration: Configuration, _ output: LogOutput) throws -> PlatformLog? {
        guard configuration.flows.contains(where: { $0.settings.contains(SymphonySettings.token) }) else { return nil }
        let parameters = SymphonyParameters(environment: SettingsInput.process().environment)
        guard let platform = SymphonyPlatform(parameters, transport: try CurlTransport()) else { return nil }
        let logs = SymphonyLogs()
        output.attach(logs)
        return PlatformLog(
            logs: logs, platform: platform, task: Task { await logs.run(to: platform) }, output: output)
    }

    /// Posts what is left.
    func close() async {
        output.attach(nil)
        task.cancel()
        await task.value
        await logs.flush(to: platform)
    }
}
