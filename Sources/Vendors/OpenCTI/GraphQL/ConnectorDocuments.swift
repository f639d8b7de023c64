// SPDX-License-Identifier: Apache-2.0

extension OpenCTIDocuments {
    static let connectors = [
        healthCheck, register, registerWithoutBroker, registerWithKeys, registerWithKeysWithoutBroker, registerEarly,
        registerWithStorage, ping, pingEarly,
    ]

    /// Needs a logged-in user, so it proves the token as well as the version.
    static let healthCheck = GraphQLDocument("healthCheck", "query healthCheck { about { version } }")

    /// Platforms from 5.4 on.
    static let register = registration("connector_user_id", broker)

    /// The same for connectors that touch no queue: the broker's credentials stay where they are.
    static let registerWithoutBroker = registration("connector_user_id")

    /// Platforms from 7 on: with the keys that sign callbacks.
    static let registerWithKeys = registration("connector_user_id jwks", broker)

    /// The same with the platform's S3 storage, for connectors that leave bundles there.
    static let registerWithStorage = registration(
        "connector_user_id jwks",
        broker + " s3 { endpoint port use_ssl bucket_name bucket_region access_key secret_key }")

    static let registerWithKeysWithoutBroker = registration("connector_user_id jwks")

    /// Platforms 5.0 to 5.3: no virtual host, no routing keys, the user as an object.
    static let registerEarly = registration(
        "connector_user { id }",
        "connection { host use_ssl port user pass } listen listen_exchange push push_exchange")

    private static let broker = """
        connection { host vhost use_ssl port user pass } listen listen_routing listen_exchange \
        push push_routing push_exchange
        """

    private static func registration(_ fields: String, _ configuration: String? = nil) -> GraphQLDocument {
        let config = configuration.map { " config { \($0) }" } ?? ""
        return GraphQLDocument(
            "registerConnector", capability: Capability.connectors,
            """
            mutation RegisterConnector($input: RegisterConnectorInput) {
              registerConnector(input: $input) { id connector_state \(fields)\(config) }
            }
            """)
    }

    static let ping = GraphQLDocument(
        "pingConnector", capability: Capability.connectors,
        """
        mutation PingConnector($id: ID!, $state: String, $connectorInfo: ConnectorInfoInput) {
          pingConnector(id: $id, state: $state, connectorInfo: $connectorInfo) { id connector_state }
        }
        """)

    /// Platforms before 6.2.
    static let pingEarly = GraphQLDocument(
        "pingConnector", capability: Capability.connectors,
        """
        mutation PingConnector($id: ID!, $state: String) {
          pingConnector(id: $id, state: $state) { id connector_state }
        }
        """)
}
