// SPDX-License-Identifier: Apache-2.0

public import Base
public import JSON

/// What a connector tells the platform about itself. Source: OpenCTI protocol, 2.3.
public struct ConnectorProfile: Sendable {
    public enum Kind: String, Sendable, Hashable {
        case externalImport = "EXTERNAL_IMPORT"
        case internalImportFile = "INTERNAL_IMPORT_FILE"
        case internalEnrichment = "INTERNAL_ENRICHMENT"
        case internalAnalysis = "INTERNAL_ANALYSIS"
        case internalExportFile = "INTERNAL_EXPORT_FILE"
        case stream = "STREAM"
    }

    /// UUIDv4 chosen by the operator: the identity of queues and state.
    public var id: String
    /// At least two characters.
    public var name: String
    public var kind: Kind
    public var scope: [String]
    public var auto: Bool
    public var onlyContextual: Bool
    public var playbookCompatible: Bool
    public var autoUpdate: Bool
    public var enrichmentResolution: String
    /// The URL the platform calls instead of filling a queue; `nil` for AMQP.
    public var listenCallbackURI: String?
    public var intent: String?
    /// Semantic version of the connector.
    public var version: String?
    public var slug: String?
    /// Whether the connector reads or fills a queue; otherwise the broker's credentials are not asked for.
    public var usesBroker: Bool
    /// Whether bundles go to the platform's S3 storage: its credentials are asked for where the platform has them.
    public var usesStorage: Bool

    public init(
        id: String, name: String, kind: Kind, scope: [String] = ["not-applicable"], auto: Bool = false,
        onlyContextual: Bool = false, playbookCompatible: Bool = false, autoUpdate: Bool = false,
        enrichmentResolution: String = "none", listenCallbackURI: String? = nil, intent: String? = nil,
        version: String? = nil, slug: String? = nil, usesBroker: Bool = true, usesStorage: Bool = false
    ) {
        self.id = id
        self.name = name
        self.kind = kind
        self.scope = scope
        self.auto = auto
        self.onlyContextual = onlyContextual
        self.playbookCompatible = playbookCompatible
        self.autoUpdate = autoUpdate
        self.enrichmentResolution = enrichmentResolution
        self.listenCallbackURI = listenCallbackURI
        self.intent = intent
        self.version = version
        self.slug = slug
        self.usesBroker = usesBroker
        self.usesStorage = usesStorage
    }

    /// The input for one version of the platform: a field it does not know would be a hard error.
    /// `nil` stands for a platform of unknown version, which gets the fields of 5.0.
    func input(for version: PlatformVersion?) -> JSONValue {
        var input: JSONObject = [
            "id": .string(id), "name": .string(name), "type": .string(kind.rawValue),
            "scope": .array(scope.map { .string($0.trimmingBlanks()) }), "auto": .bool(auto),
            "only_contextual": .bool(onlyContextual),
        ]
        guard let version else { return .object(input) }
        if version.hasPlaybooks { input["playbook_compatible"] = .bool(playbookCompatible) }
        if version.hasCallbacks { input["listen_callback_uri"] = listenCallbackURI.map(JSONValue.string) ?? .null }
        if version.hasAutoUpdate {
            input["auto_update"] = .bool(autoUpdate)
            input["enrichment_resolution"] = .string(enrichmentResolution)
        }
        if version.hasIntent, let intent { input["xtm_one_intent"] = .string(intent) }
        if version.hasConnectorVersion {
            input["version"] = self.version.map(JSONValue.string) ?? .null
            input["slug"] = slug.map(JSONValue.string) ?? .null
        }
        return .object(input)
    }

    func document(for version: PlatformVersion?) -> GraphQLDocument {
        guard let version else {
            return usesBroker ? OpenCTIDocuments.register : OpenCTIDocuments.registerWithoutBroker
        }
        if !version.hasRoutingKeys { return OpenCTIDocuments.registerEarly }
        if usesStorage, version.hasKeySet { return OpenCTIDocuments.registerWithStorage }
        return switch (version.hasKeySet, usesBroker) {
        case (true, true): OpenCTIDocuments.registerWithKeys
        case (true, false): OpenCTIDocuments.registerWithKeysWithoutBroker
        case (false, true): OpenCTIDocuments.register
        case (false, false): OpenCTIDocuments.registerWithoutBroker
        }
    }
}

/// The platform's answer to a registration.
public struct Registration: Sendable {
    public let id: String
    /// The state as the platform keeps it; `nil` when it keeps none or something that is no JSON object.
    public let state: JSONObject?
    /// Whose token we use.
    public let userID: String?
    public let queue: QueueConfiguration?
    /// The platform's S3 storage, when it was asked for.
    public let storage: StorageConfiguration?
    /// Keys that sign the platform's callbacks, JSON text; from 7.0 on.
    public let keySet: String?
    /// The platform refused the fields of its own version, and the smallest registration was sent instead.
    public let isReduced: Bool

    /// The broker and the names to use. Names are never built: the platform may have put a prefix in front.
    public struct QueueConfiguration: Sendable, Hashable {
        public let host: String
        public let virtualHost: String
        public let usesTLS: Bool
        public let port: Int
        public let user: Secret
        public let password: Secret
        public let listenQueue: String
        public let listenRoutingKey: String?
        public let listenExchange: String
        public let pushQueue: String
        public let pushRoutingKey: String
        public let pushExchange: String
    }

    /// The bucket that the platform itself uses.
    public struct StorageConfiguration: Sendable, Hashable {
        public let endpoint: String
        public let port: Int
        public let usesTLS: Bool
        public let bucket: String
        public let region: String
        public let accessKey: Secret
        public let secretKey: Secret

        init?(_ json: JSONValue) {
            guard let endpoint = json["endpoint"]?.string, let port = json["port"]?.int,
                let bucket = json["bucket_name"]?.string
            else { return nil }
            self.endpoint = endpoint
            self.port = Int(port)
            self.bucket = bucket
            usesTLS = json["use_ssl"]?.bool ?? false
            region = json["bucket_region"]?.string ?? "us-east-1"
            accessKey = Secret(json["access_key"]?.string ?? "")
            secretKey = Secret(json["secret_key"]?.string ?? "")
        }
    }

    init(_ answer: JSONValue, isReduced: Bool) throws(OpenCTIError) {
        guard let id = answer["id"]?.string else {
            throw .malformed(operation: "registerConnector", reason: "the connector's id is missing")
        }
        self.id = id
        self.isReduced = isReduced
        state = ConnectorState.object(in: answer["connector_state"]?.string)
        userID = answer["connector_user_id"]?.string ?? answer["connector_user"]?["id"]?.string
        keySet = answer["jwks"]?.string
        queue = Self.queue(answer["config"], connector: id)
        storage = answer["config"]?["s3"].flatMap(StorageConfiguration.init)
    }

    private static func queue(_ config: JSONValue?, connector: String) -> QueueConfiguration? {
        guard let config, let broker = config["connection"], let host = broker["host"]?.string,
            let port = broker["port"]?.int, let listen = config["listen"]?.string, let push = config["push"]?.string
        else { return nil }
        return QueueConfiguration(
            host: host, virtualHost: broker["vhost"]?.string ?? "/", usesTLS: broker["use_ssl"]?.bool ?? false,
            port: Int(port), user: Secret(broker["user"]?.string ?? ""), password: Secret(broker["pass"]?.string ?? ""),
            listenQueue: listen, listenRoutingKey: config["listen_routing"]?.string,
            listenExchange: config["listen_exchange"]?.string ?? "amqp.connector.exchange", pushQueue: push,
            // 5.0 to 5.3 do not name the key; it was fixed then.
            pushRoutingKey: config["push_routing"]?.string ?? "push_routing_" + connector,
            pushExchange: config["push_exchange"]?.string ?? "amqp.worker.exchange")
    }
}
