// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient

/// Why VMRay gave no usable answer. Reasons are the server's own short texts (`error_msg`), cut.
public enum VMRayError: ActionableError {
    /// A setting that no request can be built from.
    case configuration(String)
    /// 401 and 405: the key is wrong or has no access to the API.
    case unauthorized(reason: String)
    /// 403: the key may not do this; a verdict key may read no report.
    case forbidden(operation: String, reason: String)
    /// 404.
    case notFound(operation: String)
    /// 429 to the end of all attempts.
    case rateLimited(attempts: Int)
    /// The account may submit nothing more for now.
    case quota(reason: String)
    /// 5xx to the end of all attempts. After a submission, nobody knows whether it arrived.
    case unavailable(status: Int)
    /// No answer to the end of all attempts. After a submission, nobody knows whether it arrived.
    case unreachable(HTTPError)
    /// Another answer that a second attempt cannot change.
    case refused(operation: String, status: Int, reason: String)
    /// A success that is not what the operation answers.
    case malformed(operation: String, reason: String)
    /// The content of the sample could not be read; nothing that can be used has reached VMRay.
    case content(reason: String)
    /// The caller's task was cancelled.
    case cancelled

    public var code: ErrorCode {
        switch self {
        case .configuration: "vmray.configuration"
        case .unauthorized: "vmray.unauthorized"
        case .forbidden: "vmray.forbidden"
        case .notFound: "vmray.not_found"
        case .rateLimited: "vmray.rate_limit"
        case .quota: "vmray.quota"
        case .unavailable: "vmray.unavailable"
        case .unreachable: "vmray.unreachable"
        case .refused: "vmray.refused"
        case .malformed: "vmray.malformed"
        case .content: "vmray.content"
        case .cancelled: "vmray.cancelled"
        }
    }

    public var isRetryable: Bool {
        switch self {
        case .rateLimited, .quota, .unavailable: true
        case .unreachable(let error): error.isRetryable
        default: false
        }
    }

    public var description: String {
        switch self {
        case .configuration(let text): text
        case .unauthorized(let reason): "VMRay refused the key (\(reason)). Check VMRAY_API_KEY and VMRAY_URL."
        case .forbidden(let operation, let reason):
            "VMRay does not allow \(operation) with this key (\(reason)). Use a key of type REPORT, or set "
                + "VMRAY_API_KEY_TYPE to VERDICT."
        case .notFound(let operation): "VMRay does not know what \(operation) asked for."
        case .rateLimited(let attempts): "VMRay answered 429 \(attempts) times. The next run tries again."
        case .quota(let reason): "VMRay's submission quota is spent (\(reason)). Nothing more is submitted in this run."
        case .unavailable(let status): "VMRay is unavailable: status \(status)."
        case .unreachable(let error): "VMRay is unreachable: \(error.description)"
        case .refused(let operation, let status, let reason):
            "VMRay refused \(operation): status \(status) (\(reason))."
        case .malformed(let operation, let reason):
            "VMRay's answer to \(operation) cannot be used: \(reason). Check VMRAY_URL and the proxy in front."
        case .content(let reason): "The sample could not be sent to VMRay: \(reason)."
        case .cancelled: "The call to VMRay was cancelled."
        }
    }
}
