// SPDX-License-Identifier: Apache-2.0

import Base

/// The line that an enrichment leaves in the observable's description, and by which the next one knows of it.
///
/// Byte for byte as the originals write it, since CrowdSec's import connector reads the same.
///
/// Source: CrowdSec enrichment, 6.2.
enum DescriptionStamp {
    private static let opening = "`Last CrowdSec enrichment: "

    /// The description without former stamps and with a new one.
    static func stamped(_ description: String?, at instant: Instant) -> String {
        removed(from: description ?? "") + "\n\n" + opening + instant.secondsDescription.dropLast() + "+00:00`"
    }

    /// The first stamp's moment.
    static func moment(in description: String?) -> Instant? {
        guard let description, let start = description.range(of: "Last CrowdSec enrichment: ") else { return nil }
        let text = description[start.upperBound...].prefix { $0.isASCII && ($0.isNumber || "-+:T".contains($0)) }
        return Instant(parsing: text)
    }

    /// Every stamp, with the two line feeds before it, to its closing backtick.
    private static func removed(from description: String) -> String {
        var rest = description[...]
        var kept = ""
        while let start = rest.range(of: opening) {
            let line = rest[start.upperBound...].prefix { $0 != "\n" }
            guard let end = line.firstIndex(of: "`") else {
                kept += rest[..<start.upperBound]
                rest = rest[start.upperBound...]
                continue
            }
            var before = rest[..<start.lowerBound]
            if before.hasSuffix("\n\n") { before = before.dropLast(2) }
            kept += before
            rest = rest[line.index(after: end)...]
        }
        return kept + rest
    }
}

extension StringProtocol where SubSequence == Substring {
    /// The first place of `part`.
    fileprivate func range(of part: String) -> Range<Index>? {
        var start = startIndex
        let first = part.first
        while let candidate = self[start...].firstIndex(where: { $0 == first }) {
            if self[candidate...].hasPrefix(part) { return candidate..<index(candidate, offsetBy: part.count) }
            start = index(after: candidate)
        }
        return nil
    }
}
