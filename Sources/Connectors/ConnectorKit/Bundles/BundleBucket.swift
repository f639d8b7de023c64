// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import HTTPClient
import Hashing
import JSON
import OpenCTI
import Settings
import Telemetry

/// Leaves bundles in an S3 bucket, and deletes those of this connector that have lain there too long.
///
/// Source: OpenCTI protocol, 2.2 and 7.1; `OpenCTI-Platform/client-python: pycti/connector/opencti_connector_helper.py`.
actor BundleBucket {
    /// Looking for expired objects once in a while is enough.
    private static let cleaningPeriod = Duration.seconds(3600)

    private let transport: any HTTPTransport
    private let signature: AWSSignature
    /// `https://host:port/bucket`
    private let bucket: String
    /// With a slash at its end; empty for the root.
    private let folder: String
    private let retention: Int
    private let file: BundleFile
    private let time: any TimeSource
    private let log: Log
    private var count = 0
    private var nextCleaning: Duration = .zero

    /// `nil` where it is turned off.
    ///
    /// - Throws: ``ConnectorError/configuration(setting:reason:)`` where neither the settings nor the platform name a bucket.
    init?(
        _ context: ConnectorContext, _ platform: Registration.StorageConfiguration?, connector: ConnectorProfile
    ) throws {
        let settings = context.settings
        guard settings[BundleSettings.sendsToS3] else { return nil }
        func required<Value>(_ value: Value?, _ setting: String) throws -> Value {
            guard let value else {
                throw ConnectorError.configuration(setting: setting, reason: "OpenCTI names none: it has to be set.")
            }
            return value
        }
        let host = try required(settings[BundleSettings.s3Endpoint] ?? platform?.endpoint, "s3.endpoint")
        let name = try required(settings[BundleSettings.s3Bucket] ?? platform?.bucket, "connector.send_to_s3_bucket")
        let usesTLS = settings[BundleSettings.s3UsesTLS] ?? platform?.usesTLS ?? true
        let port = settings[BundleSettings.s3Port] ?? platform?.port ?? (usesTLS ? 443 : 80)
        let isUsual = port == (usesTLS ? 443 : 80)
        bucket = "\(usesTLS ? "https" : "http")://\(host)\(isUsual ? "" : ":\(port)")/\(name)"
        signature = AWSSignature(
            accessKey: try required(settings[BundleSettings.s3AccessKey] ?? platform?.accessKey, "s3.access_key"),
            secretKey: try required(settings[BundleSettings.s3SecretKey] ?? platform?.secretKey, "s3.secret_key"),
            region: settings[BundleSettings.s3Region] ?? platform?.region ?? "us-east-1")
        var path = settings[BundleSettings.s3Folder]
        while path.hasSuffix("/") { path.removeLast() }
        folder = path.isEmpty || path == "." ? "" : path + "/"
        retention = settings[BundleSettings.s3Retention]
        file = BundleFile(connector: connector, validates: settings[BundleSettings.validates])
        transport = try Connections(context).plainTransport("s3")
        time = context.time
        log = context.log.with(.field("flow", context.name))
    }

    func write(_ bundle: JSONValue, _ envelope: BundleEnvelope) async throws {
        count = (count + 1) % 1000
        let key = folder + file.name(at: time.now, count: count)
        var request = signed(
            .put, bucket + "/" + Self.path(key), body: file.content("S3_BUNDLE", bundle, envelope),
            operation: "s3.put")
        request.headers["Content-Type"] = "application/json"
        try await send(request)
        guard retention > 0, time.uptime >= nextCleaning else { return }
        nextCleaning = time.uptime + Self.cleaningPeriod
        // What can't be tidied up today is tidied up tomorrow; the bundle is there.
        do { try await removeExpired() } catch {
            log.warning("Expired bundles could not be removed from the bucket", .cause(error))
        }
    }

    @discardableResult
    private func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        let response = try await transport.send(request, by: .after(.seconds(60), on: time))
        guard (200..<300).contains(response.status) else {
            throw BundleHandoverError.bucket(url: bucket, status: response.status)
        }
        return response
    }

    private func signed(
        _ method: HTTPMethod, _ url: String, body: [UInt8] = [], operation: String
    ) -> HTTPRequest {
        var request = HTTPRequest(
            method, url, body: body.isEmpty ? .none : .bytes(body), operation: operation)
        request.signature = signature
        request.headers["x-amz-content-sha256"] = SHA256.digest(body).map(Self.hex).joined()
        return request
    }

    /// Slashes separate, everything else is encoded.
    private static func path(_ key: String) -> String {
        key.split(separator: "/", omittingEmptySubsequences: false).map { PercentEncoding.component($0) }
            .joined(separator: "/")
    }

    private static func hex(_ byte: UInt8) -> String {
        let text = String(byte, radix: 16)
        return byte < 16 ? "0" + text : text
    }

    private func removeExpired() async throws {
        let limit = time.now.advanced(by: .seconds(-86_400 * retention))
        var token: String?
        repeat {
            // In alphabetical order, as the signature wants them.
            var query = token.map { "continuation-token=" + PercentEncoding.component($0) + "&" } ?? ""
            query += "list-type=2&prefix=" + PercentEncoding.component(folder + file.prefix)
            let response = try await send(signed(.get, bucket + "?" + query, operation: "s3.list"))
            let page = String(decoding: response.body, as: UTF8.self)
            for entry in Self.elements("Contents", in: page) {
                guard let key = Self.elements("Key", in: entry).first,
                    let modified = Self.elements("LastModified", in: entry).first.flatMap({ Instant(parsing: $0) }),
                    modified < limit
                else { continue }
                try await send(signed(.delete, bucket + "/" + Self.path(key), operation: "s3.delete"))
            }
            token = Self.elements("NextContinuationToken", in: page).first
        } while token != nil
    }

    /// The contents of each element of that name; the listing has no attributes and no nesting of one name.
    static func elements(_ name: String, in xml: String) -> [String] {
        var found: [String] = []
        var rest = xml[...]
        while let start = rest.firstRange(of: "<\(name)>"),
            let end = rest[start.upperBound...].firstRange(of: "</\(name)>")
        {
            found.append(
                String(rest[start.upperBound..<end.lowerBound]).replacing("&lt;", with: "<").replacing(
                    "&gt;", with: ">"
                )
                .replacing("&quot;", with: "\"").replacing("&apos;", with: "'").replacing("&amp;", with: "&"))
            rest = rest[end.upperBound...]
        }
        return found
    }
}
