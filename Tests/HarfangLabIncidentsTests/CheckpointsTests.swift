// SPDX-License-Identifier: Apache-2.0

import Engine
import JSON
import Storage
import Testing

@testable import HarfangLabIncidents

@Suite("Checkpoints of the import") struct CheckpointsTests {
    private static let start = StartDate("2020-01-01T00:00:00Z")
    private static let later = StartDate("2026-03-02T09:40:00Z")
    private static let place = SourcePosition(major: 1, minor: 1)

    // covers: incidents:checkpoint
    @Test func `what the first pass has reached is not where the second begins after a crash`() throws {
        let (start, later) = (try #require(Self.start), try #require(Self.later))
        let checkpoints = Checkpoints([:])
        #expect(
            checkpoints.beginRun([.threats, .alerts], otherwise: start).begun == [.threats: start, .alerts: start])
        checkpoints.move(.threats, to: later, after: Self.place)
        #expect(checkpoints.isDurable(Self.place))
        let afterCrash = Checkpoints(checkpoints.object)
        #expect(afterCrash.beginRun([.threats, .alerts], otherwise: start).begun == [.threats: later, .alerts: start])
    }

    @Test func `the state of an original that knew threats only serves both passes`() throws {
        let (start, later) = (try #require(Self.start), try #require(Self.later))
        let checkpoints = Checkpoints([Checkpoints.Pass.threats.rawValue: .string(later.description)])
        #expect(
            checkpoints.beginRun([.threats, .alerts], otherwise: start).begun == [.threats: later, .alerts: later])
        #expect(checkpoints.object.count == 1, "nothing is written before something was sent")
    }

    @Test func `a reset in the middle of a run holds against the rest of it`() throws {
        let (start, later) = (try #require(Self.start), try #require(Self.later))
        let checkpoints = Checkpoints([Checkpoints.Pass.alerts.rawValue: .string(later.description)])
        _ = checkpoints.beginRun([.alerts], otherwise: start)
        checkpoints.replace(nil)
        checkpoints.move(.alerts, to: later, after: Self.place)
        #expect(!checkpoints.isDurable(Self.place))
        #expect(checkpoints.object.isEmpty)
        #expect(checkpoints.beginRun([.alerts], otherwise: start).begun == [.alerts: start])
    }
}
