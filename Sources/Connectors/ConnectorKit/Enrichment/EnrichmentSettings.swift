// SPDX-License-Identifier: Apache-2.0

public import Base
import Engine
import HTTPServer
import OpenCTI
public import Settings

/// Settings of every connector that answers enrichment requests. Source: OpenCTI protocol, 2.2.
public enum EnrichmentSettings {
    public enum ListenProtocol: String, SettingChoice {
        case amqp
        case api
        public var settingDoc: String {
            switch self {
            case .amqp: "from the connector's queue on RabbitMQ"
            case .api: "over HTTP, from the platform's worker; needs OpenCTI 6.5"
            }
        }
    }

    public static let kind = Setting<String>(
        "connector.type", default: "INTERNAL_ENRICHMENT", "The kind of connector; fixed."
    ).at(.dropIn).checking { kind in
        kind.uppercased() == "INTERNAL_ENRICHMENT"
            ? nil : InvalidValue("is not INTERNAL_ENRICHMENT", remedy: "Leave it out: this connector enriches.")
    }
    public static let auto = Setting<Bool>(
        "connector.auto", default: false, "Whether the platform asks for each new entity of the scope by itself.")
    public static let autoUpdate = Setting<Bool>(
        "connector.auto_update", default: false, "Whether it asks again for each update; from 6.8.10 on.")
    public static let onlyContextual = Setting<Bool>(
        "connector.only_contextual", default: false, "Whether only entities within a container are asked for.")

    public static let listenProtocol = Setting<ListenProtocol>(
        "connector.listen_protocol", default: .amqp, "How requests are received.")
    public static let listenPort = Setting<Int>(
        "connector.listen_protocol_api_port", default: 7070, "Port of the HTTP listener for requests."
    ).within(0...65535)
    public static let listenAddress = Setting<BindAddress>(
        "connector.listen_protocol_api_addr", default: "0.0.0.0",
        "Address of the HTTP listener; the worker must reach it.")
    public static let listenPath = Setting<String>(
        "connector.listen_protocol_api_path", default: "/api/callback", "Path of the HTTP listener."
    ).checking { $0.hasPrefix("/") ? nil : InvalidValue("does not begin with a slash") }
    public static let listenURI = Setting<String?>(
        "connector.listen_protocol_api_uri",
        "Where the worker reaches the listener, without the path; registered with the platform. Without it, "
            + "`http://127.0.0.1:<port>`, with TLS `https://127.0.0.1:<port>`."
    ).example("http://connector-crowdsec:7070")
    public static let listenTLS = Setting<Bool>(
        "connector.listen_protocol_api_ssl", default: false, "Whether the HTTP listener speaks TLS.")
    public static let listenCertificate = Setting<FilePath?>(
        "connector.listen_protocol_api_ssl_cert", "PEM text or file of the listener's certificate and its chain."
    ).orVariables("LISTEN_PROTOCOL_API_SSL_CERT").relevant(when: listenTLS)
    public static let listenKey = Setting<Secret?>(
        "connector.listen_protocol_api_ssl_key", "PEM text or file of its key."
    ).orVariables("LISTEN_PROTOCOL_API_SSL_KEY").relevant(when: listenTLS)
    public static let listenPassphrase = Setting<Secret?>(
        "connector.listen_protocol_api_ssl_passphrase", "Passphrase of the key."
    ).orVariables("LISTEN_PROTOCOL_API_SSL_PASSPHRASE").relevant(when: listenTLS)

    public static let all: [any AnySetting] = [
        OpenCTISettings.id, kind, auto, autoUpdate, onlyContextual, OpenCTISettings.logLevel, listenProtocol,
        listenPort, listenAddress, listenPath, listenURI, listenTLS, listenCertificate, listenKey, listenPassphrase,
    ]

    /// What the listener shows; `nil` where it speaks plain text.
    ///
    /// - Throws: ``ConnectorError/configuration(setting:reason:)`` for a file that can't be read, and for none.
    static func certificate(_ settings: ResolvedSettings) throws -> ServerCertificate? {
        guard settings[listenTLS] else { return nil }
        guard let chain = try PEMText.read(settings[listenCertificate]?.text, listenCertificate.key) else {
            throw ConnectorError.configuration(
                setting: listenCertificate.key,
                reason: "CONNECTOR_LISTEN_PROTOCOL_API_SSL needs a certificate: give LISTEN_PROTOCOL_API_SSL_CERT.")
        }
        guard let key = try PEMText.read(settings[listenKey]?.reveal(), listenKey.key) else {
            throw ConnectorError.configuration(
                setting: listenKey.key,
                reason:
                    "CONNECTOR_LISTEN_PROTOCOL_API_SSL needs the certificate's key: give LISTEN_PROTOCOL_API_SSL_KEY.")
        }
        let passphrase = settings[listenPassphrase].flatMap { $0.isEmpty ? nil : $0 }
        return ServerCertificate(chain: chain, key: Secret(key), passphrase: passphrase)
    }
}
