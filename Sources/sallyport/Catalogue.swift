// SPDX-License-Identifier: Apache-2.0

import CrowdSecEnrichment
import Engine
import FalconActions
import FalconIndicators
import FalconInventories
import FalconTelemetry
import HarfangLabBoth
import HarfangLabIncidents
import HarfangLabIntel
import SandboxTriage
import Settings

/// Everything that this program can run.
enum Catalogue {
    static let connectors: [any Connector.Type] = [
        FalconIndicatorsConnector.self, CrowdSecEnrichmentConnector.self, FalconTelemetryConnector.self,
        DeviceAssetsConnector.self, UserAssetsConnector.self, FalconActionsConnector.self,
        HarfangLabConnector.self, HarfangLabIntelConnector.self, HarfangLabIncidentsConnector.self,
        SandboxTriageConnector.self,
    ]

    static let settings = SettingsCatalogue(connectors: connectors.map { $0.declaration })

    /// - Parameter path: the command that was given the name.
    static func connector(named name: String, path: [String]) throws(UsageError) -> ConnectorSettings {
        if let connector = settings.connector(named: name) { return connector }
        let near = nearestName(to: name, among: settings.connectorNames)
        throw UsageError(
            "There is no connector “\(name)”.",
            remedy: near.map { "Did you mean “\($0)”?" }
                ?? "There are: \(settings.connectors.map(\.name).joined(separator: ", ")).",
            path: path)
    }

    static func connector(of declaration: ConnectorSettings) -> (any Connector.Type)? {
        connectors.first { $0.declaration.name == declaration.name }
    }
}
