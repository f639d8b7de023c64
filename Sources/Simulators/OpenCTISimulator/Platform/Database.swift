// SPDX-License-Identifier: Apache-2.0

import JSON

/// An element of the platform's database, current.
struct Element: Sendable {
    /// The platform's internal id: the extension `id`.
    let id: String
    /// Changes with the pattern of an indicator.
    var stixID: String
    /// The STIX object as JSON text.
    var object: [UInt8]
    /// What a full-text search looks through: pattern and name, ASCII letters in lower case.
    var words: [UInt8] = []
    /// What messages call it, as JSON text.
    var message: String
    /// `updated_at`, milliseconds.
    var updated: Int64
    /// Author and markings, which a stream sends first.
    var references: [Int] = []
    /// Relationships and their other ends, which it sends first unless told `no-dependencies`.
    var relations: [Int] = []
    /// Whether the live stream's filters let it through; others come as dependencies only.
    var isInStream = true
    var isInferred = false
    var isDeleted = false
    /// Number in the log of the last event that was given by hand.
    var given: Int?
}

struct Database: Sendable {
    private(set) var elements: [Element] = []
    private var numbers: [String: Int] = [:]

    subscript(number: Int) -> Element {
        get { elements[number] }
        set {
            elements[number] = newValue
            // An old STIX id of an edited indicator is not kept.
            numbers[newValue.stixID] = number
        }
    }

    /// Live elements that the stream's filters let through.
    var liveCount: Int { elements.count { $0.isInStream && !$0.isDeleted } }

    @discardableResult
    mutating func add(_ element: Element) -> Int {
        let number = elements.count
        elements.append(element)
        numbers[element.id] = number
        numbers[element.stixID] = number
        return number
    }

    /// By internal id or current STIX id.
    func number(of id: String) -> Int? {
        guard let number = numbers[id], elements[number].id == id || elements[number].stixID == id else { return nil }
        return number
    }

    func live(_ id: String) -> Element? {
        number(of: id).map { elements[$0] }.flatMap { $0.isDeleted ? nil : $0 }
    }

    /// What a recovery sends: live elements of the stream with `updated_at` between both, inclusive, oldest first.
    func changed(from start: Int64, to end: Int64) -> [Int] {
        guard start <= end else { return [] }
        return elements.indices.filter { number in
            let element = elements[number]
            return element.isInStream && !element.isDeleted && (start...end).contains(element.updated)
        }.sorted { left, right in
            let (first, second) = (elements[left], elements[right])
            return first.updated != second.updated ? first.updated < second.updated : first.id < second.id
        }
    }
}
