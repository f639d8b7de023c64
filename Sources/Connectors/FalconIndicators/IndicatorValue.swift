// SPDX-License-Identifier: Apache-2.0

import Base
import NetAddress

/// The one spelling of a value under which ledger and Falcon know it.
enum IndicatorValue {
    /// `nil` when the text can't be a value of that type.
    static func canonical(_ text: String, as type: IOCType) -> String? {
        switch type {
        case .domain: return (try? DomainName(parsing: text))?.ascii
        case .ipv4, .ipv6:
            guard let address = IPAddress(parsing: text), address.isV4 == (type == .ipv4) else { return nil }
            return address.description
        case .md5: return hash(text, digits: 32)
        case .sha256: return hash(text, digits: 64)
        }
    }

    private static func hash(_ text: String, digits: Int) -> String? {
        guard text.utf8.count == digits, text.utf8.allSatisfy({ Hex.nibble($0) != nil }) else { return nil }
        return text.lowercased()
    }
}
