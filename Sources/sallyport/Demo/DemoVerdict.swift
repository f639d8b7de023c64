// SPDX-License-Identifier: Apache-2.0

import JSON

/// The tenant against what the feed's maker meant: two lists that share no code with the connector.
struct DemoVerdict {
    private(set) var expected = 0
    private(set) var right = 0
    private(set) var lost: [String] = []
    private(set) var different: [String] = []
    private(set) var surplus: [String] = []
    private(set) var doubled: [String] = []

    var holds: Bool { lost.isEmpty && different.isEmpty && surplus.isEmpty && doubled.isEmpty }

    /// - Parameters:
    ///   - expected: `{"type","value","state":"present|marked|deleted|vetoed","severity","tags","description"}` a value.
    ///   - tenant: indicators as the API shows them.
    init(expected rows: [JSONValue], tenant: [JSONValue]) {
        var there: [String: JSONValue] = [:]
        for ioc in tenant {
            let name = Self.name(ioc)
            if there.updateValue(ioc, forKey: name) != nil { doubled.append(name) }
        }
        // What was deleted or vetoed must not be there: it then counts as surplus.
        for row in rows where row["state"]?.string == "present" || row["state"]?.string == "marked" {
            let name = Self.name(row)
            guard let ioc = there.removeValue(forKey: name) else {
                // Wanted and removed within one batch, or while nobody read: nothing need ever be written.
                if row["optional"]?.bool == true { continue }
                expected += 1
                lost.append(name)
                continue
            }
            expected += 1
            if let what = Self.difference(row, ioc) { different.append("\(name): \(what)") } else { right += 1 }
        }
        surplus = there.keys.sorted()
    }

    private static func name(_ row: JSONValue) -> String {
        "\(row["type"]?.string ?? "?") \(row["value"]?.string ?? "?")"
    }

    private static func difference(_ row: JSONValue, _ ioc: JSONValue) -> String? {
        for field in ["severity", "action", "description"] {
            if let wanted = row[field]?.string, ioc[field]?.string != wanted {
                return "\(field) is \(ioc[field]?.string ?? "unset"), not \(wanted)"
            }
        }
        let isMarked = row["state"]?.string == "marked"
        let tags = Set(ioc["tags"]?.array?.compactMap(\.string) ?? [])
        if tags.contains("TO_DELETE") != isMarked { return isMarked ? "not marked" : "marked" }
        if !isMarked, tags != Set(row["tags"]?.array?.compactMap(\.string) ?? []) { return "tags are \(tags.sorted())" }
        return nil
    }
}
