// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Messaging
import OpenCTI
import Settings
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The broker's coordinates: those of the registration, unless an operator gives others. Source: OpenCTI protocol, 2.2.
struct BrokerConnection: Sendable {
    let address: BrokerAddress

    /// - Throws: ``ConnectorError/configuration(setting:reason:)`` for a file that can't be read and a host that nobody named.
    init(_ settings: ResolvedSettings, _ queue: Registration.QueueConfiguration?) throws {
        guard let host = settings[BundleSettings.brokerHost] ?? queue?.host, !host.isEmpty else {
            throw ConnectorError.configuration(
                setting: "mq.host", reason: "OpenCTI names no broker. Set MQ_HOST, or CONNECTOR_QUEUE_PROTOCOL=api.")
        }
        let usesTLS = settings[BundleSettings.brokerUsesTLS] ?? queue?.usesTLS ?? false
        var tls: BrokerTLS?
        if usesTLS {
            tls = BrokerTLS(
                verifies: settings[BundleSettings.brokerVerifies],
                authorities: try Self.pem(settings[BundleSettings.brokerAuthorities]?.text, "mq.use_ssl_ca"),
                certificate: try Self.pem(settings[BundleSettings.brokerCertificate]?.text, "mq.use_ssl_cert"),
                key: try Self.pem(settings[BundleSettings.brokerKey]?.reveal(), "mq.use_ssl_key").map { Secret($0) },
                passphrase: settings[BundleSettings.brokerPassphrase])
        }
        address = BrokerAddress(
            host: host, port: settings[BundleSettings.brokerPort] ?? queue?.port ?? (usesTLS ? 5671 : 5672),
            virtualHost: settings[BundleSettings.brokerVirtualHost] ?? queue?.virtualHost ?? "/",
            user: settings[BundleSettings.brokerUser] ?? queue?.user ?? Secret("guest"),
            password: settings[BundleSettings.brokerPassword] ?? queue?.password ?? Secret("guest"), tls: tls)
    }

    var isUnverified: Bool { address.tls.map { !$0.verifies } ?? false }

    /// PEM text as it is, anything else as a path. Source: OpenCTI protocol, 2.2.
    private static func pem(_ text: String?, _ setting: String) throws -> String? {
        guard let text, !text.isEmpty else { return nil }
        if text.contains("-----BEGIN") { return text.replacing("\\n", with: "\n") }
        guard let file = fopen(text, "r") else {
            throw ConnectorError.configuration(
                setting: setting, reason: "\(text) can't be read: \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while bytes.count < 1 << 20 {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// How the connections to the broker stand, for health and for the decision to go another way.
final class BrokerHealth: Sendable {
    private struct State {
        var trouble: String?
        var downSince: Duration?
        var isConnected = false
        var isBlocked = false
    }
    private let state: Mutex<State>
    private let time: any TimeSource
    private let report: @Sendable (BrokerState) -> Void

    /// - Parameter report: told of each change, for the log.
    init(time: any TimeSource, report: @escaping @Sendable (BrokerState) -> Void) {
        self.time = time
        self.report = report
        state = Mutex(State(downSince: time.uptime))
    }

    func heed(_ change: BrokerState) {
        let now = time.uptime
        let isNews = state.withLock { state in
            switch change {
            case .connecting: return false
            case .connected:
                state.trouble = nil
                state.downSince = nil
                state.isConnected = true
                state.isBlocked = false
            case .blocked(let reason):
                state.isBlocked = true
                state.trouble =
                    "RabbitMQ takes nothing: \(reason). It goes on by itself once it has memory and disk again."
            case .disconnected(let error, _):
                let isSame = state.trouble == error.description
                state.trouble = error.description
                state.downSince = state.downSince ?? now
                state.isConnected = false
                state.isBlocked = false
                return !isSame
            case .closed:
                state.isConnected = false
                return false
            }
            return true
        }
        if isNews { report(change) }
    }

    var trouble: String? { state.withLock { $0.trouble } }
    /// How long there has been no connection; `nil` while there is one.
    var downFor: Duration? {
        let now = time.uptime
        return state.withLock { $0.downSince.map { now - $0 } }
    }
}
