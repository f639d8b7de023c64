// SPDX-License-Identifier: Apache-2.0

/// Text kept back to back in blocks of a mebibyte: no allocation per text, no copying while it grows.
struct Arena {
    private static let blockBytes = 1 << 20
    private var blocks: [[UInt8]] = []

    var bytes: Int { blocks.reduce(0) { $0 + $1.count } }

    /// Texts beyond a block's size are cut.
    mutating func append(_ text: some Collection<UInt8>) -> TextSpan {
        let length = min(text.count, Self.blockBytes)
        if length == 0 { return TextSpan() }
        if blocks.isEmpty || blocks[blocks.count - 1].count + length > Self.blockBytes {
            var block: [UInt8] = []
            block.reserveCapacity(Self.blockBytes)
            blocks.append(block)
        }
        let last = blocks.count - 1
        let position = last * Self.blockBytes + blocks[last].count
        blocks[last].append(contentsOf: text.prefix(length))
        return TextSpan(position: UInt32(truncatingIfNeeded: position), length: UInt32(length))
    }

    subscript(_ span: TextSpan) -> ArraySlice<UInt8> {
        if span.length == 0 { return [] }
        let start = Int(span.position) % Self.blockBytes
        return blocks[Int(span.position) / Self.blockBytes][start..<start + Int(span.length)]
    }
}

/// Texts that many rows share, by number. Number 0 is the empty text.
struct Words {
    private var numbers: [[UInt8]: UInt32] = [[]: 0]
    private var texts: [[UInt8]] = [[]]

    mutating func number(of text: [UInt8]) -> UInt32 {
        if let number = numbers[text] { return number }
        let number = UInt32(texts.count)
        numbers[text] = number
        texts.append(text)
        return number
    }

    mutating func number(of text: String) -> UInt32 { number(of: Array(text.utf8)) }

    /// `nil` when no row can have it.
    func existing(_ text: String) -> UInt32? { numbers[Array(text.utf8)] }

    subscript(_ number: UInt32) -> [UInt8] { texts[Int(number)] }
}

/// An array in blocks, so that growing never copies what is there.
struct Blocks<Element: Sendable>: Sendable {
    private static var perBlock: Int { 4096 }
    private var blocks: [[Element]] = []
    private(set) var count = 0

    mutating func append(_ element: Element) {
        if count % Self.perBlock == 0 {
            var block: [Element] = []
            block.reserveCapacity(Self.perBlock)
            blocks.append(block)
        }
        blocks[blocks.count - 1].append(element)
        count += 1
    }

    subscript(_ index: Int) -> Element {
        get { blocks[index / Self.perBlock][index % Self.perBlock] }
        _modify { yield &blocks[index / Self.perBlock][index % Self.perBlock] }
    }
}

/// Row numbers by hash, open addressing. The caller compares the rows.
struct RowIndex {
    private static let empty: UInt32 = 0
    private static let removed = UInt32.max
    private var slots = [UInt32](repeating: 0, count: 1024)
    private var used = 0

    /// The first row of that hash chain for which `matches` is true.
    func find(_ hash: UInt64, _ matches: (Int) -> Bool) -> Int? {
        var found: Int?
        walk(hash) { row in
            if matches(row) { found = row }
            return found == nil
        }
        return found
    }

    /// Visits rows that may have that hash until `visit` says false.
    func walk(_ hash: UInt64, _ visit: (Int) -> Bool) {
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] != Self.empty {
            if slots[slot] != Self.removed, !visit(Int(slots[slot]) - 1) { return }
            slot = (slot + 1) & (slots.count - 1)
        }
    }

    /// - Parameter rehash: the hash of a row that is in the index, for when it grows.
    mutating func insert(_ row: Int, _ hash: UInt64, rehash: (Int) -> UInt64) {
        if (used + 1) * 3 > slots.count * 2 { grow(rehash) }
        place(UInt32(row + 1), hash)
        used += 1
    }

    mutating func remove(_ row: Int, _ hash: UInt64) {
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] != Self.empty {
            if slots[slot] == UInt32(row + 1) {
                slots[slot] = Self.removed
                return
            }
            slot = (slot + 1) & (slots.count - 1)
        }
    }

    private mutating func place(_ entry: UInt32, _ hash: UInt64) {
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] != Self.empty { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = entry
    }

    private mutating func grow(_ rehash: (Int) -> UInt64) {
        let old = slots
        slots = [UInt32](repeating: 0, count: old.count * 2)
        used = 0
        for entry in old where entry != Self.empty && entry != Self.removed {
            place(entry, rehash(Int(entry) - 1))
            used += 1
        }
    }
}
