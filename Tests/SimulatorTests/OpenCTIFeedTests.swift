// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import JSON
import OpenCTISimulator
import SimulatorKit
import Testing

@Suite("Simulated OpenCTI: the varied feed") struct OpenCTIFeedTests {
    private static let recovery = "?recover=2026-01-01T00:00:00Z"
    private static let lean: HTTPHeaders = ["Last-Event-ID": "0-0", "no-dependencies": "true"]

    private func consumer(
        _ time: ManualTime = ManualTime(), count: Int = 200, live: Int? = nil, rate: Double? = nil, seed: UInt64 = 1
    ) throws -> Consumer {
        try Consumer(time: time) { configuration in
            configuration.feed = FeedConfiguration(count: count, liveEvents: live, rate: rate)
            configuration.options.seed = seed
        }
    }

    /// Reads all that stands there, lets two heartbeats pass, and reads what happens then.
    private func everything(_ consumer: Consumer, _ time: ManualTime, live: Int) async throws -> [Consumer.Frame] {
        let stream = try await consumer.open(query: Self.recovery)
        async let read = Consumer.read(stream) { frames in
            let beats = frames.firstIndex { $0.event == "heartbeat" } ?? frames.count
            return frames[beats...].count { $0.isData && $0.referer != "init-dependencies" } >= live
        }
        for _ in 0..<2 {
            await time.sleepers(1)
            time.advance(by: .seconds(1))
        }
        return await read.frames
    }

    // MARK: Recovery

    @Test func `a recovery sends dependencies first, under the id of what needs them`() async throws {
        let frames = try await consumer(count: 5, live: 0).events(7, Self.lean, query: Self.recovery)
        #expect(frames.map(\.type) == ["identity", "marking-definition"] + Array(repeating: "indicator", count: 5))
        #expect(Set(frames.prefix(3).map(\.id)) == ["1748736000000-0"])
        #expect(frames.prefix(3).map(\.referer) == ["init-dependencies", "init-dependencies", "init-create"])
        #expect(frames.allSatisfy { $0.event == "create" && $0.json["type"] == nil && $0.json["scope"] == nil })
    }

    @Test func `without a recovery the log says the same as it happened`() async throws {
        let frames = try await consumer(count: 5, live: 0).events(7, Self.lean)
        #expect(frames.last?.json["type"] == "create")
        #expect(frames.last?.json["event_id"]?.string == frames.last?.id)
        #expect(frames.last?.json["origin"]?["socket"] == "query")
    }

    @Test func `ids rise, and some elements share one`() async throws {
        let frames = try await consumer(count: 50, live: 0).events(52, Self.lean, query: Self.recovery)
        let ids = frames.compactMap { $0.id?.split(separator: "-").first.flatMap { Int($0) } }
        #expect(ids == ids.sorted())
        #expect(Set(ids).count < 50)
    }

    @Test func `a recovery includes its start, live events do not`() async throws {
        let consumer = try consumer(count: 5, live: 0)
        let position: HTTPHeaders = ["Last-Event-ID": "1748736003000-0", "no-dependencies": "true"]
        let recovered = try await consumer.events(4, position, query: Self.recovery)
        #expect(recovered.map(\.id) == Array(repeating: "1748736003000-0", count: 3) + ["1748736004000-0"])
        let live = try await consumer.events(3, position)
        #expect(Set(live.map(\.id)) == ["1748736004000-0"])
    }

    @Test func `relationships come unless they are declined, inferred ones on demand`() async throws {
        let consumer = try consumer(count: 4, live: 0)
        func types(_ more: HTTPHeaders, _ count: Int) async throws -> [String] {
            var headers = Consumer.fromTheBeginning
            for field in more.fields { headers[field.name] = field.value }
            return try await consumer.events(count, headers, query: Self.recovery).map(\.type).filter {
                $0 != "indicator"
            }
        }
        #expect(try await types(["no-dependencies": "true"], 6) == ["identity", "marking-definition"])
        #expect(try await types([:], 8) == ["identity", "marking-definition", "malware", "relationship"])
        #expect(try await types(["with-inferences": "true"], 9).count == 5)
    }

    // MARK: Live events

    @Test func `live events begin two heartbeats after everything was sent`() async throws {
        let time = ManualTime()
        let consumer = try consumer(time, count: 100, live: 400)
        let frames = try await everything(consumer, time, live: 400)
        let beats = frames.indices.filter { frames[$0].event == "heartbeat" }
        let live = frames[(beats.last ?? 0)...].filter(\.isData)
        #expect(beats.count == 2)
        #expect(live.count >= 400)
        #expect(Set(live.map(\.event)).isSuperset(of: ["create", "update", "delete", "merge"]))
        #expect(live.contains { $0.event == "delete" && $0.json["type"] == "update" })
        #expect(live.contains { $0.event == "create" && $0.json["type"] == "update" })
        #expect(live.contains { $0.json.isNull })
        #expect(Set(live.filter { $0.referer.isEmpty }.map(\.id)).count == 400)
        #expect(try await consumer.admin("GET", "state")["liveLeft"] == 0)
    }

    @Test func `an edited pattern says what stood there before`() async throws {
        let time = ManualTime()
        let frames = try await everything(consumer(time, count: 100, live: 150), time, live: 150)
        let edits = frames.filter { $0.json["context"]?["reverse_patch"]?[0]?["path"] == "/pattern" }
        let edit = try #require(edits.first).json
        #expect(edit["context"]?["patch"]?[0]?["value"] == edit["data"]?["pattern"])
        #expect(edit["context"]?["patch"]?[1]?["value"] == edit["data"]?["id"])
        #expect(edit["context"]?["reverse_patch"]?[0]?["value"] != edit["data"]?["pattern"])
        #expect(edit["context"]?["reverse_patch"]?[1]?["path"] == "/id")
    }

    @Test func `events come at their rate`() async throws {
        let time = ManualTime()
        let consumer = try consumer(time, count: 20, live: 10, rate: 2)
        try await consumer.admin("POST", "feed", ["live": true])
        #expect(try await consumer.admin("GET", "state")["liveLeft"] == 10)
        time.advance(by: .milliseconds(1_600))
        _ = try await consumer.events(20)
        #expect(try await consumer.admin("GET", "state")["liveLeft"] == 7)
    }

    @Test func `what changed since is told once, as it stands now`() async throws {
        let time = ManualTime()
        let consumer = try consumer(time, count: 60, live: 60)
        _ = try await everything(consumer, time, live: 60)
        let stream = try await consumer.open(query: "?recover=2026-12-01T00:00:00Z")
        time.advance(by: .seconds(1))
        let all = await Consumer.read(stream) { $0.last?.event == "heartbeat" }
        let recovered = all.frames.filter { $0.referer == "init-create" }
        let names = recovered.compactMap { $0.json["data"]?["extensions"]?[Self.octi]?["id"]?.string }
        #expect(Set(names).count == names.count)
        let elements = try await consumer.admin("GET", "state")["elements"]?.int
        #expect(names.count == elements.map { Int($0) })
    }

    private static let octi = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"

    // MARK: The expected table

    @Test func `one seed gives one feed`() async throws {
        var texts: [[JSONValue]] = []
        for seed in [7, 7, 8] as [UInt64] {
            let consumer = try consumer(seed: seed)
            texts.append(try await consumer.lines("expected?mode=soft"))
        }
        #expect(texts[0] == texts[1])
        #expect(texts[0] != texts[2])
    }

    @Test func `tells the table now and at the end, under both modes`() async throws {
        let time = ManualTime()
        let consumer = try consumer(time, count: 300, live: 300)
        func states(_ query: String) async throws -> [String: Int] {
            try await consumer.lines("expected?" + query).reduce(into: [:]) {
                $0[$1["state"]?.string ?? "", default: 0] += 1
            }
        }
        let now = try await states("mode=soft&at=now")
        #expect(now["marked"] == nil)
        #expect((now["present"] ?? 0) > 200)
        #expect((now["vetoed"] ?? 0) > 0)
        let soft = try await states("mode=soft")
        let permanent = try await states("mode=permanent")
        #expect((soft["marked"] ?? 0) > 20)
        #expect(soft["marked"] == permanent["deleted"])
        #expect(soft["present"] == permanent["present"])
        _ = try await everything(consumer, time, live: 300)
        #expect(try await states("mode=soft&at=now") == soft)
        let state = try await consumer.admin("GET", "state")
        #expect((state["expected"]?["deadLetters"]?.int ?? 0) > 5)
    }

    @Test func `a line has what an IOC shows`() async throws {
        let lines = try await consumer().lines("expected?mode=soft")
        let present = try #require(lines.first { $0["state"] == "present" })
        #expect(["informational", "low", "medium", "high", "critical"].contains(present["severity"]?.string))
        #expect(present["tags"]?.array != nil)
        let marked = lines.filter { $0["state"] == "marked" }
        #expect(marked.allSatisfy { $0["tags"]?.array?.contains("TO_DELETE") == true })
        let keys = lines.map { "\($0["type"]?.string ?? "") \($0["value"]?.string ?? "")" }
        #expect(Set(keys).count == keys.count)
        #expect(Set(lines.compactMap { $0["type"]?.string }) == ["domain", "ipv4", "ipv6", "sha256", "md5"])
    }
}

@Suite("Simulated OpenCTI: plain indicators") struct OpenCTIPlainTests {
    private func consumer(_ count: Int) throws -> Consumer {
        try Consumer(time: ManualTime()) { $0.plainCount = count }
    }

    @Test func `the same bytes on every replay, about as large as the platform's`() async throws {
        let consumer = try consumer(1_000)
        let query = "?recover=2026-06-01T00:00:00Z"
        let first = try await consumer.events(1_002, query: query)
        #expect(first == (try await consumer.events(1_002, query: query)))
        #expect(first.prefix(3).map(\.type) == ["identity", "marking-definition", "indicator"])
        let sizes = first.dropFirst(2).map(\.data.utf8.count)
        #expect((1_250...1_550).contains(sizes.reduce(0, +) / sizes.count))
        #expect(first.allSatisfy { $0.json["data"]?["id"] != nil })
    }

    @Test func `resumes anywhere`() async throws {
        let consumer = try consumer(100)
        let last = try await consumer.events(3, ["Last-Event-ID": "1735787045980-0"])
        #expect(last.map(\.id) == Array(repeating: "1735787045990-0", count: 3))
        #expect(last[2].json["event_id"] == "1735787045990-0")
    }

    @Test func `every value is distinct and expected`() async throws {
        let count = 20_000
        let consumer = try consumer(count)
        let lines = try await consumer.lines("expected?mode=permanent")
        let values = Set(lines.compactMap { $0["value"]?.string })
        #expect(values.count == count)
        let frames = try await consumer.events(402, query: "?recover=2026-06-01T00:00:00Z").dropFirst(2).prefix(400)
        for (frame, line) in zip(frames, lines) {
            #expect(frame.json["data"]?["pattern"]?.string?.contains("'\(line["value"]?.string ?? "-")'") == true)
        }
        let addresses = lines.filter { $0["type"] == "ipv4" }.compactMap { $0["value"]?.string }
        #expect(addresses.count == count / 4)
        #expect(addresses.allSatisfy { !["10.", "127", "172", "192", "169", "0."].contains(String($0.prefix(3))) })
    }
}
