// SPDX-License-Identifier: Apache-2.0

public import Base
import HTTPClient
import Hashing

/// A bucket with its credentials.
public struct S3Bucket: Sendable {
    public var name: String
    public var region: String
    /// An S3-compatible service's own URL; `nil` for AWS.
    public var endpoint: String?
    /// Put before each name.
    public var prefix: String
    public var accessKey: String
    public var secretKey: Secret
    public var sessionToken: Secret?
    /// PEM of the authorities that alone are trusted; `nil` for the system's.
    public var authorities: Secret?
    /// PEM of the certificate that we show, and of its key; both or neither.
    public var certificate: Secret?
    public var certificateKey: Secret?

    /// `nil` where the transport of everything else will do.
    var tls: TLSConfiguration? {
        guard authorities != nil || certificate != nil && certificateKey != nil else { return nil }
        var tls = TLSConfiguration()
        if let authorities {
            tls.authorities = [.text(authorities)]
            tls.trustsSystemAuthorities = false
        }
        if let certificate, let certificateKey {
            tls.clientCertificate = .init(certificate: .text(certificate), key: .text(certificateKey))
        }
        return tls
    }
}

/// Files as objects of an S3 bucket, path-style, requests signed with Signature Version 4.
///
/// Source: docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
struct S3Folder: DataFolder {
    private let bucket: S3Bucket
    private let transport: any HTTPTransport
    private let time: any TimeSource

    init(_ bucket: S3Bucket, transport: any HTTPTransport, time: any TimeSource) {
        self.bucket = bucket
        self.transport = transport
        self.time = time
    }

    func read(_ name: String) async throws(SymphonyError) -> [UInt8]? {
        let response = try await send(.get, name, [])
        switch response.status {
        case 200: return response.body
        case 404: return nil
        default: throw .data(name: name, reason: "the bucket answered \(response.status)")
        }
    }

    func write(_ name: String, _ bytes: [UInt8]) async throws(SymphonyError) {
        let response = try await send(.put, name, bytes)
        guard (200..<300).contains(response.status) else {
            throw .data(name: name, reason: "the bucket answered \(response.status)")
        }
    }

    private func send(_ method: HTTPMethod, _ name: String, _ body: [UInt8]) async throws(SymphonyError) -> HTTPResponse
    {
        let request = signed(method, name, body, at: time.now)
        do throws(HTTPError) {
            return try await transport.send(request, by: .after(.seconds(30), on: time))
        } catch {
            throw .data(name: name, reason: error.description)
        }
    }

    func signed(_ method: HTTPMethod, _ name: String, _ body: [UInt8], at now: Instant) -> HTTPRequest {
        let base = bucket.endpoint ?? "https://s3.\(bucket.region).amazonaws.com"
        let endpoint = base.hasSuffix("/") ? String(base.dropLast()) : base
        let key = bucket.prefix.isEmpty ? name : bucket.prefix + "/" + name
        let path = "/" + Self.encoded(bucket.name) + "/" + Self.encoded(key)
        let authority = endpoint.split(separator: "/", omittingEmptySubsequences: true).dropFirst().first.map(
            String.init)
        // `2026-02-14T09:00:00Z` → `20260214T090000Z`.
        let stamp = now.secondsDescription.filter { $0 != "-" && $0 != ":" }
        let date = String(stamp.prefix(8))
        let digest = Hex.encode(SHA256.digest(body))
        var fields = [
            ("host", authority ?? ""), ("x-amz-content-sha256", digest), ("x-amz-date", stamp),
        ]
        if let token = bucket.sessionToken { fields.append(("x-amz-security-token", token.reveal())) }
        let names = fields.map(\.0).joined(separator: ";")
        let canonical =
            "\(method.rawValue)\n\(path)\n\n" + fields.map { "\($0.0):\($0.1)\n" }.joined() + "\n\(names)\n\(digest)"
        let scope = "\(date)/\(bucket.region)/s3/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(stamp)\n\(scope)\n" + Hex.encode(SHA256.digest(canonical))
        var signing = Array("AWS4".utf8) + Array(bucket.secretKey.reveal().utf8)
        for part in [date, bucket.region, "s3", "aws4_request", text] {
            signing = HMACSHA256.code(for: Array(part.utf8), key: signing)
        }
        var request = HTTPRequest(
            method, endpoint + path, body: method == .put ? .bytes(body) : .none,
            operation: method == .put ? "s3.put" : "s3.get")
        for field in fields.dropFirst() { request.headers[field.0] = field.1 }
        request.headers["Authorization"] =
            "AWS4-HMAC-SHA256 Credential=\(bucket.accessKey)/\(scope), SignedHeaders=\(names), "
            + "Signature=\(Hex.encode(signing))"
        return request
    }

    /// All but unreserved characters and the slash.
    private static func encoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"), UInt8(ascii: "/"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}
