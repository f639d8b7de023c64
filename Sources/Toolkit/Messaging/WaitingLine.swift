// SPDX-License-Identifier: Apache-2.0

/// Elements in order, taken from the front or out of the middle. What is taken is let go of at once: a message of the size of
/// a bundle must not stay until the line is tidied up.
struct WaitingLine<Element> {
    /// From `head` on; `nil` where one was taken out.
    private var slots: [Element?] = []
    private var head = 0

    init(_ elements: [Element] = []) { slots = elements }

    /// Gaps count.
    var count: Int { slots.count - head }
    var isEmpty: Bool { count == 0 }
    var first: Element? { isEmpty ? nil : slots[head] }
    /// Without the gaps.
    var elements: [Element] { slots[head...].compactMap { $0 } }

    mutating func append(_ element: Element) { slots.append(element) }

    mutating func removeFirst() {
        slots[head] = nil
        head += 1
        tidy()
    }

    /// Leaves a gap.
    ///
    /// - Parameter index: from the front.
    mutating func take(_ index: Int) -> Element? {
        let element = slots[head + index]
        slots[head + index] = nil
        return element
    }

    /// - Returns: how many there were in front.
    mutating func removeLeadingGaps() -> Int {
        let start = head
        while head < slots.count, slots[head] == nil { head += 1 }
        defer { tidy() }
        return head - start
    }

    /// Not for each element: removing from the front moves the rest.
    private mutating func tidy() {
        guard head == slots.count || head > 512 && head * 2 > slots.count else { return }
        slots.removeFirst(head)
        head = 0
    }
}

extension WaitingLine: Sendable where Element: Sendable {}
