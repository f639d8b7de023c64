// SPDX-License-Identifier: Apache-2.0

public import Base

/// Why an archive gives no sample. No name or byte of its content is repeated here: both are an attacker's.
public enum ArchiveError: ActionableError {
    /// It is not the one encrypted member, of that name and content, that was asked for.
    case integrity(reason: String)
    /// It declares, or unpacks to, more than is allowed.
    case tooLarge(limit: Int64)
    /// It is packed as no program is: a zip bomb.
    case bomb(ratio: Int64)
    /// The encrypted bytes could not be kept.
    case spool(reason: String)

    public var code: ErrorCode {
        switch self {
        case .integrity: "sample.integrity"
        case .tooLarge: "sample.too_large"
        case .bomb: "sample.bomb"
        case .spool: "sample.spool"
        }
    }

    public var isRetryable: Bool {
        switch self {
        case .integrity, .spool: true
        case .tooLarge, .bomb: false
        }
    }

    public var description: String {
        switch self {
        case .integrity(let reason): "The sample's archive is not what was asked for: \(reason). Nothing was submitted."
        case .tooLarge(let limit):
            "The sample is larger than \(limit) bytes. Raise VMRAY_MAX_SAMPLE_SIZE if VMRay takes it."
        case .bomb(let ratio):
            "The sample's archive unpacks to more than \(ratio) times its size, as zip bombs do. Nothing was submitted."
        case .spool(let reason):
            "The sample's encrypted archive could not be kept: \(reason). Check VMRAY_DOWNLOAD_DIR and its disk."
        }
    }
}
