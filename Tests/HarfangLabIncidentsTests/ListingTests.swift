// SPDX-License-Identifier: Apache-2.0

import HarfangLab
import JSON
import Testing

@testable import HarfangLabIncidents

@Suite("Lists that change while they are read") struct ListingTests {
    private func events(_ console: LiveConsole, isRestless: Bool = false) throws -> Listing {
        let client = try console.client()
        let filter = AlertFilter(statuses: "new", types: nil)
        return Listing(
            client, operation: "list_Alert", from: .beginning, isRestless: isRestless,
            moment: isRestless ? Alert.change(of:) : Alert.time(of:),
            open: { (start) async throws(HarfangLabError) in
                let start = (start ?? .beginning).description
                return isRestless
                    ? try await client.alerts(filter, updatedSince: start)
                    : try await client.alerts(filter, from: start)
            })
    }

    private func read(_ listing: Listing) async throws -> [String] {
        var ids: [String] = []
        while let results = try await listing.next() { ids += results.compactMap { $0["id"]?.string } }
        return ids
    }

    // covers: hlbug:inc-4, incidents:shifting-pages
    @Test func `what moves up while pages are read is not left out`() async throws {
        let console = LiveConsole()
        console.change { state in
            state.alerts = (0..<350).map { LiveConsole.alert($0) }
            // Between the first page and the second, twenty of the first leave the list.
            state.interfere = { call, state in
                guard call.query["offset"] == "100" else { return nil }
                for index in 0..<20 { state.alerts[index]["status"] = "closed" }
                return nil
            }
        }
        let read = try await read(try events(console))
        #expect(Set(read) == Set((0..<350).map { "event-\($0)" }))
    }

    // covers: hlbug:inc-24, incidents:ceiling
    @Test func `reading goes on behind the console's ceiling`() async throws {
        let console = LiveConsole()
        console.change { state in
            state.ceiling = 300
            state.alerts = (0..<1000).map { LiveConsole.alert($0, at: $0 / 7) }
        }
        let read = try await read(try events(console))
        #expect(Set(read).count == 1000)
        #expect(console.calls.allSatisfy { ($0.query["offset"].flatMap { Int($0) } ?? 0) + 100 <= 300 })
    }

    // covers: incidents:ceiling
    @Test func `a moment that holds more than the ceiling is told and does not stop the rest`() async throws {
        let console = LiveConsole()
        console.change { state in
            state.ceiling = 300
            state.alerts = (0..<500).map { LiveConsole.alert($0, at: 5) } + (500..<510).map { LiveConsole.alert($0) }
        }
        let listing = try events(console)
        var read: [String] = []
        var overfull: [StartDate] = []
        while let results = try await listing.next() {
            read += results.compactMap { $0["id"]?.string }
            if let moment = listing.overfull { overfull.append(moment) }
        }
        #expect(overfull == [StartDate(LiveConsole.moment(5))])
        #expect(Set(read).isSuperset(of: (500..<510).map { "event-\($0)" }))
    }

    // covers: incidents:status-sync
    @Test func `a change behind what was read hides nothing of the list of changes`() async throws {
        let console = LiveConsole()
        console.change { state in
            state.alerts = (0..<250).map { LiveConsole.alert($0) }
            state.interfere = { _, state in
                // With each call another of those already read changes again.
                let place = state.calls.count
                guard place > 1, place < 6 else { return nil }
                state.alerts[place]["last_update"] = .string(LiveConsole.moment(10_000 + place))
                return nil
            }
        }
        let read = try await read(try events(console, isRestless: true))
        #expect(Set(read).count == 250)
    }

    @Test func `a list that never comes to rest is read to its end all the same`() async throws {
        let console = LiveConsole()
        console.change { state in
            state.alerts = (0..<300).map { LiveConsole.alert($0, at: 7) }
            state.interfere = { _, state in
                if state.alerts.count < 330 { state.alerts.append(LiveConsole.alert(state.alerts.count, at: 7)) }
                return nil
            }
        }
        let read = try await read(try events(console))
        #expect(Set(read).isSuperset(of: (0..<300).map { "event-\($0)" }))
    }

    @Test func `a microsecond later is one`() throws {
        let date = try #require(StartDate("2026-03-02T09:59:59.999999+00:00"))
        #expect(date.next.description == "2026-03-02T10:00:00+00:00")
        #expect(date.next.next.microseconds == date.microseconds + 2)
    }
}
