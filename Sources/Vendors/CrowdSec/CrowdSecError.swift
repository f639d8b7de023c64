// SPDX-License-Identifier: Apache-2.0

public import Base
public import HTTPClient

/// Why CrowdSec gave no answer about an address.
///
/// The texts of the quota and of an unavailable service are those of the original, which analysts know.
public enum CrowdSecError: ActionableError {
    /// A setting that no request can be built from.
    case configuration(String)
    /// 400, 401, 403 and other answers that a second attempt cannot change.
    case refused(status: Int, reason: String)
    /// 429 to the end of all attempts.
    case quotaExceeded
    /// 5xx to the end of all attempts.
    case unavailable(status: Int, attempts: Int)
    /// No answer to the end of all attempts, or one that may not be waited for any longer.
    case unreachable(HTTPError, attempts: Int)
    /// The caller's task was cancelled.
    case cancelled
    /// A 200 whose body is no JSON object.
    case malformed(reason: String)

    public var code: ErrorCode {
        switch self {
        case .configuration: "crowdsec.configuration"
        case .refused: "crowdsec.refused"
        case .quotaExceeded: "crowdsec.quota"
        case .unavailable: "crowdsec.unavailable"
        case .unreachable: "crowdsec.unreachable"
        case .cancelled: "crowdsec.cancelled"
        case .malformed: "crowdsec.malformed"
        }
    }

    public var isRetryable: Bool {
        switch self {
        case .configuration, .refused, .cancelled, .malformed: false
        case .quotaExceeded, .unavailable: true
        case .unreachable(let error, _): error.isRetryable
        }
    }

    public var description: String {
        switch self {
        case .configuration(let text): text
        case .refused(let status, let reason):
            "CrowdSec CTI refused the request: status \(status)\(reason.isEmpty ? "" : " (\(reason))"). "
                + (status == 401 || status == 403 ? "Check CROWDSEC_KEY." : "Check CROWDSEC_API_URL.")
        case .quotaExceeded:
            "Quota exceeded for CrowdSec CTI API. Please visit https://www.crowdsec.net/pricing to upgrade your plan."
        case .unavailable(let status, let attempts):
            "CrowdSec CTI unavailable: status \(status) after \(attempts) attempts"
        case .cancelled: "The look-up at CrowdSec CTI was cancelled."
        case .unreachable(let error, let attempts):
            "CrowdSec CTI unavailable: \(error.description) (\(attempts) attempt\(attempts == 1 ? "" : "s"))"
        case .malformed(let reason):
            "The answer of CrowdSec CTI cannot be used: \(reason). Check CROWDSEC_API_URL and the proxy in front."
        }
    }
}
