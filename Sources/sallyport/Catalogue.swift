// SPDX-License-Identifier: Apache-2.0

import Engine
import FalconIndicators
import Settings

/// Everything that this program can run.
enum Catalogue {
    static let connectors: [any Connector.Type] = [FalconIndicatorsConnector.self]

    static let settings = SettingsCatalogue(connectors: connectors.map { $0.declaration })

    static func connector(of declaration: ConnectorSettings) -> (any Connector.Type)? {
        connectors.first { $0.declaration.name == declaration.name }
    }
}
