// SPDX-License-Identifier: Apache-2.0

public import Base

/// Why a broker could not be reached or did not do what was asked.
public enum BrokerError: ActionableError {
    /// No connection: name, port, firewall.
    case unreachable(broker: String, reason: String)
    /// The certificate, or a file of ours.
    case tls(broker: String, reason: String)
    /// User, password or virtual host.
    case refused(broker: String, reason: String)
    /// The connection was lost, or the broker closed it.
    case lost(broker: String, reason: String)
    /// The queue to read from does not exist (any more).
    case noQueue(String)
    /// A published message found no queue.
    case unroutable(exchange: String, routingKey: String)
    /// The message is larger than what may be sent.
    case tooLarge(bytes: Int, limit: Int)
    /// Closed by us.
    case closed

    public var code: ErrorCode {
        switch self {
        case .unreachable: "broker.unreachable"
        case .tls: "broker.tls"
        case .refused: "broker.refused"
        case .lost: "broker.lost"
        case .noQueue: "broker.no_queue"
        case .unroutable: "broker.unroutable"
        case .tooLarge: "broker.too_large"
        case .closed: "broker.closed"
        }
    }

    public var isRetryable: Bool {
        switch self {
        case .tooLarge, .closed: false
        default: true
        }
    }

    public var description: String {
        switch self {
        case .unreachable(let broker, let reason):
            "RabbitMQ at \(broker) can't be reached (\(reason)). Check MQ_HOST and MQ_PORT, or what OpenCTI hands out."
        case .tls(let broker, let reason):
            "The encrypted connection to RabbitMQ at \(broker) fails: \(reason). Give its CA as MQ_USE_SSL_CA; "
                + "MQ_USE_SSL_REJECT_UNAUTHORIZED=false turns the check off."
        case .refused(let broker, let reason):
            "RabbitMQ at \(broker) refuses the login: \(reason). Check MQ_USER, MQ_PASS and MQ_VHOST, or what OpenCTI "
                + "hands out."
        case .lost(let broker, let reason): "The connection to RabbitMQ at \(broker) was lost: \(reason)."
        case .noQueue(let name):
            "The queue \(name) does not exist. OpenCTI makes it again at the connector's next ping."
        case .unroutable(let exchange, let key):
            "RabbitMQ has no queue for \(exchange) with the key \(key). OpenCTI makes it again at the next ping."
        case .tooLarge(let bytes, let limit): "A message of \(bytes) bytes is larger than the limit of \(limit)."
        case .closed: "The connection to RabbitMQ was closed."
        }
    }
}
