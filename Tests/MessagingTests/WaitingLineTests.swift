// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Messaging

@Suite("Waiting line") struct WaitingLineTests {
    private final class Body {}

    @Test func `what is taken is let go of at once, in front and in the middle`() {
        var line = WaitingLine<Body>()
        var bodies = (0..<4).map { _ in Body() }
        for body in bodies { line.append(body) }
        func isHeld(_ index: Int) -> Bool {
            // Beside the one in `bodies`.
            var body = bodies.remove(at: index)
            defer { bodies.insert(body, at: index) }
            return !isKnownUniquelyReferenced(&body)
        }
        #expect((0..<4).map(isHeld) == [true, true, true, true])
        line.removeFirst()
        _ = line.take(1)
        #expect((0..<4).map(isHeld) == [false, true, false, true])
        #expect(line.elements.count == 2 && line.count == 3)
    }

    @Test func `elements keep their order and their places while thousands pass`() {
        var line = WaitingLine([0])
        var next = 1
        for expected in 0..<5000 {
            line.append(next)
            line.append(next + 1)
            next += 2
            #expect(line.first == expected)
            line.removeFirst()
        }
        #expect(line.elements == Array(5000..<10_001))
        #expect(line.take(1) == 5001 && line.take(1) == nil)
    }

    @Test func `gaps in front are counted when they go`() {
        var line = WaitingLine([1, 2, 3])
        _ = line.take(1)
        #expect(line.removeLeadingGaps() == 0)
        _ = line.take(0)
        #expect(line.removeLeadingGaps() == 2)
        #expect(line.elements == [3] && line.removeLeadingGaps() == 0)
        _ = line.take(0)
        #expect(line.removeLeadingGaps() == 1 && line.isEmpty && line.first == nil)
    }
}
