// SPDX-License-Identifier: Apache-2.0

public import Base
import JSON
import OpenCTI

/// Why a bundle could not be left in a directory or bucket.
public enum BundleHandoverError: ActionableError {
    case file(path: String, reason: String)
    case bucket(url: String, status: Int)

    public var code: ErrorCode {
        switch self {
        case .file: "bundle.directory"
        case .bucket: "bundle.bucket"
        }
    }
    public var isRetryable: Bool {
        switch self {
        case .file: true
        case .bucket(_, let status): status == 429 || status >= 500
        }
    }
    public var description: String {
        switch self {
        case .file(let path, let reason): "A bundle can't be written to \(path): \(reason)."
        case .bucket(let url, 403):
            "The S3 service refuses \(url) (403). Check S3_ACCESS_KEY, S3_SECRET_KEY, S3_BUCKET_REGION and the bucket's policy."
        case .bucket(let url, let status): "The S3 service answered \(status) for \(url)."
        }
    }
}

/// The form in which bundles lie in a directory or bucket, and their names. Source: OpenCTI protocol, 7.1.
struct BundleFile: Sendable {
    let connector: ConnectorProfile
    let validates: Bool

    /// The connector's name in lower case with `_` for blanks.
    var prefix: String { connector.name.lowercased().replacing(" ", with: "_") + "-" }

    /// `<name>-20260131-235959-1769903999.123.json`, in UTC. `count` keeps two of one millisecond apart.
    func name(at now: Instant, count: Int) -> String {
        let digits = now.description.filter(\.isNumber)
        let (date, clock) = (digits.prefix(8), digits.dropFirst(8).prefix(6))
        let fraction = String(now.milliseconds % 1000 + 1000).dropFirst()
        return "\(prefix)\(date)-\(clock)-\(now.milliseconds / 1000).\(fraction)\(count).json"
    }

    func content(_ kind: String, _ bundle: JSONValue, _ envelope: BundleEnvelope) -> [UInt8] {
        let value: JSONValue = [
            "bundle_type": .string(kind), "applicant_id": envelope.applicantID.map(JSONValue.string) ?? .null,
            "connector": [
                "id": .string(connector.id), "name": .string(connector.name), "type": .string(connector.kind.rawValue),
                "scope": .array(connector.scope.map(JSONValue.string)), "auto": .bool(connector.auto),
                "validate_before_import": .bool(validates),
            ],
            "entities_types": .array(envelope.entityTypes.map(JSONValue.string)), "bundle": bundle,
            "update": .bool(envelope.updates),
        ]
        return value.bytes
    }
}
