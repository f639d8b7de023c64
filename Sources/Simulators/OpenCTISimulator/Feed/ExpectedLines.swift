// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The expected table as blocks of JSON lines: first the varied feed's, then those of the plain indicators, which are made
/// while they are sent.
final class ExpectedLines: Sendable {
    private struct State {
        var lines: ArraySlice<[UInt8]>
        var number = 0
    }
    private let plain: PlainFeed
    private let state: Mutex<State>

    init(lines: ArraySlice<[UInt8]>, plain: PlainFeed) {
        self.plain = plain
        state = Mutex(State(lines: lines))
    }

    /// `nil` at the end.
    @Sendable func next() -> [UInt8]? {
        state.withLock { state in
            var block: [UInt8] = []
            while block.count < 64 << 10, let line = state.lines.popFirst() { block += line }
            while block.count < 64 << 10, state.number < plain.count {
                plain.appendExpected(state.number, to: &block)
                state.number += 1
            }
            return block.isEmpty ? nil : block
        }
    }
}

extension PlainFeed {
    fileprivate func appendExpected(_ number: Int, to bytes: inout [UInt8]) {
        let severities: [StaticString] = ["informational", "low", "medium", "high", "critical"]
        bytes.append("{\"type\":\"")
        bytes.append(Self.kind(number).ioc)
        bytes.append("\",\"value\":\"")
        appendValue(number, to: &bytes)
        bytes.append("\",\"state\":\"present\",\"severity\":\"")
        bytes.append(severities[min(Self.score(number) / 20, 4)])
        bytes.append("\",\"tags\":[\"c2\"],\"platforms\":[\"linux\",\"mac\",\"windows\"],\"expiration\":\"")
        bytes.append(utf8: Self.validUntil)
        bytes.append("\",\"description\":\"C2 server\"}\n")
    }
}
