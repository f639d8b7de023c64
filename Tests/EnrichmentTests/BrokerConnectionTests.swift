// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import JSON
import Messaging
import OpenCTI
import Testing

@testable import ConnectorKit

@Suite("Where the broker is") struct BrokerConnectionTests {
    private func address(
        _ environment: [String: String] = [:], usesTLS: Bool = false, isNamed: Bool = true
    ) async throws -> BrokerAddress {
        let broker = """
            "connection":{"host":"rabbitmq","vhost":"/cti","use_ssl":\(usesTLS),"port":5672,"user":"opencti",\
            "pass":"s3cr3t"},"listen":"listen_1","push":"push_1"
            """
        let rig = try await ServiceRig(
            environment, handler: ScriptedHandler { _ in .skipped(message: "") },
            answering: {
                guard $0.contains("registerConnector") else { return nil }
                return #"{"data":{"registerConnector":{"id":"1","config":{\#(isNamed ? broker : "")}}}}"#
            })
        return try BrokerConnection(try ServiceRig.settings(environment), rig.service.registration.queue).address
    }

    // covers: bus:broker-registration
    @Test func `what the platform hands out is used`() async throws {
        let address = try await address()
        #expect(address.host == "rabbitmq" && address.port == 5672 && address.virtualHost == "/cti")
        #expect(address.user.reveal() == "opencti" && address.password.reveal() == "s3cr3t")
        #expect(address.tls == nil)
        // TLS where the platform says so, verified.
        let encrypted = try await self.address(usesTLS: true)
        #expect(encrypted.tls?.verifies == true && encrypted.tls?.authorities == nil)
    }

    // covers: key:MQ_HOST, key:MQ_PORT, key:MQ_VHOST, key:MQ_USER, key:MQ_PASS, key:MQ_USE_SSL
    @Test func `an operator's own settings win`() async throws {
        let address = try await address(
            [
                "MQ_HOST": "mq.example", "MQ_PORT": "5673", "MQ_VHOST": "v", "MQ_USER": "u", "MQ_PASS": "p",
                "MQ_USE_SSL": "false",
            ], usesTLS: true)
        #expect(address.host == "mq.example" && address.port == 5673 && address.virtualHost == "v")
        #expect(address.user.reveal() == "u" && address.password.reveal() == "p")
        #expect(address.tls == nil)
        // Without a platform that names one they are all there is.
        #expect(try await self.address(["MQ_HOST": "mq.example", "MQ_USE_SSL": "true"], isNamed: false).port == 5671)
    }

    // covers: key:MQ_USE_SSL_CA, key:MQ_USE_SSL_CERT, key:MQ_USE_SSL_KEY, key:MQ_USE_SSL_PASSPHRASE
    // covers: key:MQ_USE_SSL_REJECT_UNAUTHORIZED
    @Test func `certificates come as text, with real or written line ends`() async throws {
        let tls = try #require(
            try await address(
                [
                    "MQ_USE_SSL_CA": "-----BEGIN CERTIFICATE-----\\nA", "MQ_USE_SSL_CERT": "-----BEGIN B\nB",
                    "MQ_USE_SSL_KEY": "-----BEGIN C", "MQ_USE_SSL_PASSPHRASE": "open",
                    "MQ_USE_SSL_REJECT_UNAUTHORIZED": "false",
                ], usesTLS: true
            ).tls)
        #expect(tls.authorities == "-----BEGIN CERTIFICATE-----\nA" && tls.certificate == "-----BEGIN B\nB")
        #expect(tls.key?.reveal() == "-----BEGIN C" && tls.passphrase?.reveal() == "open" && !tls.verifies)
    }

    // covers: bus:tls-file
    @Test func `a missing file and a missing host name their setting`() async throws {
        func setting(_ environment: [String: String], isNamed: Bool = true) async -> String? {
            do {
                _ = try await address(environment, usesTLS: true, isNamed: isNamed)
                return nil
            } catch ConnectorError.configuration(let setting, _) { return setting } catch { return "\(error)" }
        }
        #expect(await setting(["MQ_USE_SSL_CA": "/nowhere/ca.pem"]) == "mq.use_ssl_ca")
        #expect(await setting(["MQ_USE_SSL_KEY": "/nowhere/key.pem"]) == "mq.use_ssl_key")
        #expect(await setting([:], isNamed: false) == "mq.host")
    }
}
