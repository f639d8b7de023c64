// SPDX-License-Identifier: Apache-2.0

import Base
internal import CRabbitMQ

#if canImport(Glibc)
    import Glibc
#endif

/// One connection with one channel, used by one thread: librabbitmq blocks and is not thread-safe.
final class AMQPSession {
    struct Limits: Sendable {
        /// Bodies over it are refused, not kept.
        var maxMessageBytes: Int
        var connectTimeout: Duration = .seconds(10)
        /// Asked of the broker. Source: OpenCTI protocol, 5.1.
        var heartbeat: Duration = .seconds(10)
    }

    private static let channel: amqp_channel_t = 1
    private let connection: amqp_connection_state_t
    private let broker: String
    private var assembler: MessageAssembler
    private let limits: Limits
    private var isGathering = false

    /// Connects, logs in, and opens the channel.
    init(_ address: BrokerAddress, name: String, limits: Limits) throws(BrokerError) {
        guard let connection = amqp_new_connection() else {
            throw .unreachable(broker: address.name, reason: "memory is short")
        }
        self.connection = connection
        self.limits = limits
        broker = address.name
        assembler = MessageAssembler(maxBytes: limits.maxMessageBytes)
        try open(address)
        try logIn(address, name: name)
        amqp_channel_open(connection, Self.channel)
        try check(amqp_get_rpc_reply(connection))
    }

    deinit { amqp_destroy_connection(connection) }

    /// Says goodbye; the broker gives unacknowledged messages to others at once.
    func close() {
        sp_amqp_set_patience(connection, 2000)
        amqp_connection_close(connection, AMQP_REPLY_SUCCESS)
    }

    var socket: Int32 { amqp_get_sockfd(connection) }

    // MARK: Opening

    private func open(_ address: BrokerAddress) throws(BrokerError) {
        let socket: OpaquePointer?
        if let tls = address.tls {
            socket = amqp_ssl_socket_new(connection)
            guard let socket else { throw .tls(broker: broker, reason: "OpenSSL gives no context") }
            try configure(tls, socket, for: address.host)
        } else {
            socket = amqp_tcp_socket_new(connection)
        }
        guard let socket else { throw .unreachable(broker: broker, reason: "memory is short") }
        let patience = Int32(clamping: limits.connectTimeout.milliseconds)
        sp_amqp_set_patience(connection, patience)
        let status = sp_amqp_open(socket, address.host, Int32(clamping: address.port), patience)
        guard status == AMQP_STATUS_OK.rawValue else { throw Self.openError(status, broker: broker) }
    }

    private func configure(_ tls: BrokerTLS, _ socket: OpaquePointer, for host: String) throws(BrokerError) {
        amqp_ssl_socket_set_verify_peer(socket, tls.verifies ? 1 : 0)
        amqp_ssl_socket_set_verify_hostname(socket, 0)
        if tls.verifies, sp_amqp_expect_name(socket, host) != 1 {
            throw .tls(broker: broker, reason: "“\(host)” is no name that a certificate could bear")
        }
        amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST)
        if let authorities = tls.authorities {
            guard sp_amqp_trust_text(socket, authorities) > 0 else {
                throw .tls(broker: broker, reason: "MQ_USE_SSL_CA holds no certificate")
            }
        } else {
            sp_amqp_trust_system(socket)
        }
        if let certificate = tls.certificate {
            guard let key = tls.key else { throw .tls(broker: broker, reason: "MQ_USE_SSL_KEY is missing") }
            let isUsable = sp_amqp_use_certificate(
                socket, certificate, key.reveal(), tls.passphrase?.reveal() ?? "")
            guard isUsable == 1 else {
                throw .tls(broker: broker, reason: "MQ_USE_SSL_CERT, its key and passphrase do not fit each other")
            }
        }
    }

    private func logIn(_ address: BrokerAddress, name: String) throws(BrokerError) {
        let reply = sp_amqp_login(
            connection, address.virtualHost, 0, 131_072, Int32(limits.heartbeat.components.seconds), name,
            address.user.reveal(), address.password.reveal())
        do { try check(reply) } catch {
            // The broker says no by closing: wrong user, password or virtual host.
            switch error {
            case .lost(_, let reason): throw .refused(broker: broker, reason: reason)
            default: throw error
            }
        }
    }

    private static func openError(_ status: Int32, broker: String) -> BrokerError {
        let text = String(cString: amqp_error_string2(status))
        switch status {
        case AMQP_STATUS_SSL_PEER_VERIFY_FAILED.rawValue, AMQP_STATUS_SSL_CONNECTION_FAILED.rawValue,
            AMQP_STATUS_SSL_ERROR.rawValue:
            return .tls(
                broker: broker,
                reason: "\(text); its certificate may be of an authority that is not trusted, or for another name")
        default: return .unreachable(broker: broker, reason: text)
        }
    }

    // MARK: Commands

    func selectConfirms() throws(BrokerError) {
        amqp_confirm_select(connection, Self.channel)
        try check(amqp_get_rpc_reply(connection))
    }

    /// Source: OpenCTI protocol, 5.1: nothing is declared; the platform did that.
    func consume(_ queue: String, prefetch: Int) throws(BrokerError) {
        amqp_basic_qos(connection, Self.channel, 0, UInt16(clamping: prefetch), 0)
        try check(amqp_get_rpc_reply(connection))
        queue.withCString { text in
            _ = amqp_basic_consume(
                connection, Self.channel, amqp_cstring_bytes(text), amqp_empty_bytes, 0, 0, 0, amqp_empty_table)
        }
        do { try check(amqp_get_rpc_reply(connection)) } catch {
            if case .lost(_, let reason) = error, reason.hasPrefix("404") { throw .noQueue(queue) }
            throw error
        }
    }

    /// Persistent and mandatory: one that finds no queue comes back. It leaves with ``flush()`` at the latest.
    func publish(_ body: [UInt8], id: String, exchange: String, routingKey: String) throws(BrokerError) {
        var properties = amqp_basic_properties_t()
        properties._flags =
            UInt32(AMQP_BASIC_DELIVERY_MODE_FLAG) | UInt32(AMQP_BASIC_CONTENT_ENCODING_FLAG)
            | UInt32(AMQP_BASIC_MESSAGE_ID_FLAG)
        properties.delivery_mode = 2
        gather()
        let encoding = sp_amqp_utf8()
        let status = exchange.withCString { exchange in
            routingKey.withCString { routingKey in
                id.withCString { id in
                    body.withUnsafeBytes { body in
                        properties.content_encoding = encoding
                        properties.message_id = amqp_cstring_bytes(id)
                        let content = amqp_bytes_t(
                            len: body.count, bytes: UnsafeMutableRawPointer(mutating: body.baseAddress))
                        return amqp_basic_publish(
                            connection, Self.channel, amqp_cstring_bytes(exchange), amqp_cstring_bytes(routingKey), 1,
                            0,
                            &properties, content)
                    }
                }
            }
        }
        try checkStatus(status)
    }

    /// Has the system send what was published or settled since the last time: it gathers it, because the library writes three
    /// small packets a message, and to take each one in costs the broker more than the message.
    func flush() {
        guard isGathering else { return }
        isGathering = false
        gather(false)
    }

    private func gather() {
        guard !isGathering else { return }
        isGathering = true
        gather(true)
    }

    /// Where the system can't, messages leave one by one.
    private func gather(_ isOn: Bool) {
        var value: Int32 = isOn ? 1 : 0
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_CORK, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    func declare(exchange: String) throws(BrokerError) {
        exchange.withCString { name in
            _ = amqp_exchange_declare(
                connection, Self.channel, amqp_cstring_bytes(name), sp_amqp_direct(), 0, 1, 0, 0, amqp_empty_table)
        }
        try check(amqp_get_rpc_reply(connection))
    }

    func declare(queue: String) throws(BrokerError) {
        queue.withCString { name in
            _ = amqp_queue_declare(
                connection, Self.channel, amqp_cstring_bytes(name), 0, 1, 0, 0, amqp_empty_table)
        }
        try check(amqp_get_rpc_reply(connection))
    }

    func bind(queue: String, exchange: String, routingKey: String) throws(BrokerError) {
        queue.withCString { queue in
            exchange.withCString { exchange in
                routingKey.withCString { key in
                    _ = amqp_queue_bind(
                        connection, Self.channel, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange),
                        amqp_cstring_bytes(key), amqp_empty_table)
                }
            }
        }
        try check(amqp_get_rpc_reply(connection))
    }

    func delete(queue: String) throws(BrokerError) {
        queue.withCString { name in
            _ = amqp_queue_delete(connection, Self.channel, amqp_cstring_bytes(name), 0, 0)
        }
        try check(amqp_get_rpc_reply(connection))
    }

    func acknowledge(_ tag: UInt64) throws(BrokerError) {
        gather()
        try checkStatus(amqp_basic_ack(connection, Self.channel, tag, 0))
    }

    func giveBack(_ tag: UInt64) throws(BrokerError) {
        gather()
        try checkStatus(amqp_basic_nack(connection, Self.channel, tag, 0, 1))
    }

    // MARK: Reading

    /// Hands over everything that has arrived, at most `limit` frames; sends heartbeats that are due.
    ///
    /// - Returns: whether more may be waiting.
    func read(limit: Int, _ handle: (AMQPEvent) throws(BrokerError) -> Void) throws(BrokerError) -> Bool {
        for _ in 0..<limit {
            var frame = amqp_frame_t()
            let status = sp_amqp_next_frame(connection, &frame)
            if status == AMQP_STATUS_TIMEOUT.rawValue { return false }
            try checkStatus(status)
            let event = try event(frame)
            if let event { try handle(event) }
            amqp_maybe_release_buffers(connection)
        }
        return true
    }

    private func event(_ frame: amqp_frame_t) throws(BrokerError) -> AMQPEvent? {
        var frame = frame
        do {
            switch Int32(frame.frame_type) {
            case AMQP_FRAME_METHOD: return try method(&frame)
            case AMQP_FRAME_HEADER:
                let properties = sp_amqp_properties(&frame)
                let count = sp_amqp_delivery_count(properties)
                var id = ""
                if let properties, properties.pointee._flags & UInt32(AMQP_BASIC_MESSAGE_ID_FLAG) != 0 {
                    id = text(properties.pointee.message_id)
                }
                return try assembler.header(
                    bodyBytes: sp_amqp_body_size(&frame), messageID: id,
                    deliveryCount: count >= 0 ? Int(count) : nil)
            case AMQP_FRAME_BODY:
                let fragment = sp_amqp_fragment(&frame)
                return try assembler.fragment(UnsafeRawBufferPointer(start: fragment.bytes, count: fragment.len))
            default: return nil
            }
        } catch let error as BrokerError {
            throw error
        } catch {
            throw .lost(broker: broker, reason: "it sent frames in an impossible order")
        }
    }

    private func method(_ frame: inout amqp_frame_t) throws -> AMQPEvent? {
        guard let decoded = sp_amqp_decoded(&frame) else { return nil }
        switch sp_amqp_method(&frame) {
        case AMQP_BASIC_DELIVER_METHOD:
            let deliver = decoded.assumingMemoryBound(to: amqp_basic_deliver_t.self).pointee
            try assembler.begin(.delivery(tag: deliver.delivery_tag, isRedelivered: deliver.redelivered != 0))
        case AMQP_BASIC_RETURN_METHOD: try assembler.begin(.returned)
        case AMQP_BASIC_ACK_METHOD:
            let ack = decoded.assumingMemoryBound(to: amqp_basic_ack_t.self).pointee
            return .confirmed(tag: ack.delivery_tag, multiple: ack.multiple != 0)
        case AMQP_BASIC_NACK_METHOD:
            let nack = decoded.assumingMemoryBound(to: amqp_basic_nack_t.self).pointee
            return .nacked(tag: nack.delivery_tag, multiple: nack.multiple != 0)
        case AMQP_BASIC_CANCEL_METHOD: return .cancelled
        case AMQP_CONNECTION_BLOCKED_METHOD:
            let blocked = decoded.assumingMemoryBound(to: amqp_connection_blocked_t.self).pointee
            return .blocked(reason: text(blocked.reason))
        case AMQP_CONNECTION_UNBLOCKED_METHOD: return .unblocked
        case AMQP_CHANNEL_CLOSE_METHOD:
            let close = decoded.assumingMemoryBound(to: amqp_channel_close_t.self).pointee
            throw BrokerError.lost(broker: broker, reason: "\(close.reply_code) \(text(close.reply_text))")
        case AMQP_CONNECTION_CLOSE_METHOD:
            let close = decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
            throw BrokerError.lost(broker: broker, reason: "\(close.reply_code) \(text(close.reply_text))")
        default: return nil
        }
        return nil
    }

    // MARK: Errors

    private func checkStatus(_ status: Int32) throws(BrokerError) {
        guard status == AMQP_STATUS_OK.rawValue else {
            throw .lost(broker: broker, reason: String(cString: amqp_error_string2(status)))
        }
    }

    private func check(_ reply: amqp_rpc_reply_t) throws(BrokerError) {
        switch reply.reply_type {
        case AMQP_RESPONSE_NORMAL: return
        case AMQP_RESPONSE_LIBRARY_EXCEPTION:
            throw .lost(broker: broker, reason: String(cString: amqp_error_string2(reply.library_error)))
        case AMQP_RESPONSE_SERVER_EXCEPTION:
            guard let decoded = reply.reply.decoded else { throw .lost(broker: broker, reason: "it closed") }
            // Both close methods begin with the same two members.
            let close = decoded.assumingMemoryBound(to: amqp_channel_close_t.self).pointee
            throw .lost(broker: broker, reason: "\(close.reply_code) \(text(close.reply_text))")
        default: throw .lost(broker: broker, reason: "it closed the connection")
        }
    }

    private func text(_ bytes: amqp_bytes_t) -> String {
        String(decoding: UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len).prefix(300), as: UTF8.self)
    }
}

@available(*, unavailable)
extension AMQPSession: Sendable {}
