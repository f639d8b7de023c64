// SPDX-License-Identifier: Apache-2.0

public import Base

/// Why a fault was not understood.
public enum FaultRuleError: ActionableError, Equatable {
    case empty
    case unknownKind(String)
    case unknownKey(String)
    case badValue(key: String)

    public var code: ErrorCode { "simulator.fault" }
    public var isRetryable: Bool { false }

    public var description: String {
        let kinds = FaultRule.Kind.allCases.map(\.rawValue).joined(separator: ", ")
        return switch self {
        case .empty: "An empty fault. Give a kind: \(kinds)."
        case .unknownKind(let kind): "“\(kind)” is no kind of fault. Give one of \(kinds)."
        case .unknownKey(let key):
            "“\(key)” is no setting of a fault. There are argument, method, path, operation, skip, times, probability, "
                + "retry_after, lasting and message."
        case .badValue(let key):
            "The fault's “\(key)” must be a whole number that is not negative (probability: between 0 and 1)."
        }
    }
}

/// Patterns in which `*` stands for any run of characters.
enum Glob {
    static func matches(_ pattern: String, _ text: String) -> Bool {
        let pattern = Array(pattern.utf8)
        let text = Array(text.utf8)
        let star = UInt8(ascii: "*")
        var (at, position) = (0, 0)
        var lastStar: (at: Int, position: Int)?
        while position < text.count {
            if at < pattern.count, pattern[at] == star {
                lastStar = (at, position)
                at += 1
            } else if at < pattern.count, pattern[at] == text[position] {
                at += 1
                position += 1
            } else if let star = lastStar {
                lastStar = (star.at, star.position + 1)
                at = star.at + 1
                position = star.position + 1
            } else {
                return false
            }
        }
        return pattern[at...].allSatisfy { $0 == star }
    }
}
