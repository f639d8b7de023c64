// SPDX-License-Identifier: Apache-2.0

import CRabbitMQ

/// The named baseline of the publisher: librabbitmq in a loop, with confirmations and a window, and nothing else.
enum BareClient {
    static let window = 1024

    /// - Returns: seconds until the last of `count` such messages was confirmed.
    static func publish(
        _ body: [UInt8], count: Int, port: Int, routingKey: String, exchange: String, now: () -> Double
    ) throws -> Double {
        guard let connection = amqp_new_connection() else { throw BenchFailure("no connection") }
        defer { amqp_destroy_connection(connection) }
        guard let socket = amqp_tcp_socket_new(connection), sp_amqp_open(socket, "127.0.0.1", Int32(port), 5000) == 0,
            sp_amqp_login(connection, "/", 0, 131_072, 0, "bare", "guest", "guest").reply_type == AMQP_RESPONSE_NORMAL
        else { throw BenchFailure("the bare client can't log in") }
        amqp_channel_open(connection, 1)
        _ = amqp_get_rpc_reply(connection)
        amqp_confirm_select(connection, 1)
        _ = amqp_get_rpc_reply(connection)
        var properties = amqp_basic_properties_t()
        properties._flags = UInt32(AMQP_BASIC_DELIVERY_MODE_FLAG)
        properties.delivery_mode = 2
        let started = now()
        var sent = 0
        var confirmed = 0
        while confirmed < count {
            while sent < count, sent - confirmed < window {
                let status = exchange.withCString { exchange in
                    routingKey.withCString { key in
                        body.withUnsafeBytes { body in
                            amqp_basic_publish(
                                connection, 1, amqp_cstring_bytes(exchange), amqp_cstring_bytes(key), 1, 0, &properties,
                                amqp_bytes_t(
                                    len: body.count, bytes: UnsafeMutableRawPointer(mutating: body.baseAddress)))
                        }
                    }
                }
                guard status == 0 else { throw BenchFailure("the bare client can't publish") }
                sent += 1
            }
            var frame = amqp_frame_t()
            guard amqp_simple_wait_frame(connection, &frame) == 0 else { throw BenchFailure("the bare client was cut") }
            if sp_amqp_method(&frame) == AMQP_BASIC_ACK_METHOD, let decoded = sp_amqp_decoded(&frame) {
                let ack = decoded.assumingMemoryBound(to: amqp_basic_ack_t.self).pointee
                confirmed = ack.multiple != 0 ? Int(ack.delivery_tag) : confirmed + 1
            }
            amqp_maybe_release_buffers(connection)
        }
        return now() - started
    }
}
