// SPDX-License-Identifier: Apache-2.0

/// The name that somebody most likely meant; `nil` when none is near.
///
/// Case, `-` and `_` do not count; a swap of neighbours counts as one change. At most a third of the letters may differ.
public func nearestName(to name: String, among names: some Sequence<String>) -> String? {
    func folded(_ text: String) -> [UInt8] {
        text.lowercased().utf8.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }
    }
    let wanted = folded(String(name.prefix(80)))
    let limit = max(1, wanted.count / 3)
    var best: (name: String, distance: Int)?
    for candidate in names {
        let other = folded(candidate)
        guard abs(other.count - wanted.count) <= limit else { continue }
        let distance = editDistance(wanted, other)
        if distance <= limit, best.map({ (distance, candidate) < ($0.distance, $0.name) }) ?? true {
            best = (candidate, distance)
        }
    }
    return best?.name
}

/// Insertions, deletions, substitutions and swaps of neighbours between two words (optimal string alignment).
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in a.indices {
        var row = [i + 1] + [Int](repeating: 0, count: b.count)
        for j in b.indices {
            row[j + 1] = min(last[j] + (a[i] == b[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { row[j + 1] = min(row[j + 1], beforeLast[j - 1] + 1) }
        }
        beforeLast = last
        last = row
    }
    return last[b.count]
}
