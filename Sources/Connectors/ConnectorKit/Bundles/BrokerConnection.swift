// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Messaging
import OpenCTI
import Settings
import Synchronization

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
                authorities: try PEMText.read(settings[BundleSettings.brokerAuthorities]?.text, "mq.use_ssl_ca"),
                certificate: try PEMText.read(settings[BundleSettings.brokerCertificate]?.text, "mq.use_ssl_cert"),
                key: try PEMText.read(settings[BundleSettings.brokerKey]?.reveal(), "mq.use_ssl_key").map {
                    Secret($0)
                },
                passphrase: settings[BundleSettings.brokerPassphrase])
        }
        address = BrokerAddress(
            host: host, port: settings[BundleSettings.brokerPort] ?? queue?.port ?? (usesTLS ? 5671 : 5672),
            virtualHost: settings[BundleSettings.brokerVirtualHost] ?? queue?.virtualHost ?? "/",
            user: settings[BundleSettings.brokerUser] ?? queue?.user ?? Secret("guest"),
            password: settings[BundleSettings.brokerPassword] ?? queue?.password ?? Secret("guest"), tls: tls)
    }

    var isUnverified: Bool { address.tls.map { !$0.verifies } ?? false }
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
