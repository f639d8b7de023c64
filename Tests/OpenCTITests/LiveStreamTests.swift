// SPDX-License-Identifier: Apache-2.0

import Base
import HTTPClient
import OpenCTI
import Testing

private let options = LiveStreamOptions(id: "7d0e4f52-6f6f-4f0e-9c51-2f0a7c1d9b33")

private func event(_ id: String, _ name: String = "create", _ data: String = "{}") -> String {
    "id: \(id)\nevent: \(name)\ndata: \(data)\n\n"
}

private func connected(_ first: String) -> String {
    "event: connected\ndata: {\"firstEventId\":\"\(first)\",\"lastEventId\":\"9999999999999-0\"}\n\n"
}

extension Platform {
    fileprivate func stream(from start: StreamStart = StreamStart()) -> LiveStream {
        LiveStream(options, client: client, from: start, time: time, seed: 1)
    }

    fileprivate func lastEventIDs() -> [String?] { transport.requests.map { $0.request.headers["Last-Event-ID"] } }
}

extension StreamBatch {
    fileprivate var ids: [String?] { frames.map { idText(of: $0) } }
    fileprivate var end: StreamEnd? {
        for case .disconnected(let end, _) in notices { return end }
        return nil
    }
    fileprivate var wait: Duration? {
        for case .disconnected(_, let wait) in notices { return wait }
        return nil
    }
    fileprivate var refusal: StreamRefusal? { if case .refused(let refusal) = end { refusal } else { nil } }
    fileprivate var isConnected: Bool { notices.contains { if case .connected = $0 { true } else { false } } }
    fileprivate var isRecoveryFinished: Bool {
        notices.contains { if case .recoveryFinished = $0 { true } else { false } }
    }
}

@Suite("Live stream") struct LiveStreamTests {
    // covers: stream:request
    @Test func `asks with every header and parameter`() async throws {
        let platform = try Platform(customHeaders: ["X-Proxy": "pass"])
        platform.transport.answer(.events([event("1-0")]))
        let stream = platform.stream(
            from: StreamStart(
                position: EventID(milliseconds: 17, sequence: 3), recoverUntil: "2025-01-02T03:04:05+00:00"))
        #expect(try await stream.next().ids == ["1-0"])
        let request = try #require(platform.transport.requests.first?.request)
        #expect(
            request.url
                == "https://cti.example/base/stream/\(options.id)?recover=2025-01-02T03%3A04%3A05%2B00%3A00")
        #expect(request.method == .get)
        let expected = [
            "Authorization": "Bearer t0ken", "Accept": "text/event-stream", "Cache-Control": "no-cache",
            "Accept-Encoding": "identity", "Last-Event-ID": "17-3", "listen-delete": "true",
            "no-dependencies": "true", "with-inferences": "false", "X-Proxy": "pass", "User-Agent": "sallyport/1.0",
        ]
        for (name, value) in expected { #expect(request.headers[name] == value, "\(name)") }
        #expect(request.idleTimeout == .seconds(45))
    }

    // covers: stream:shared-ids, stream:heartbeat
    @Test func `hands out frames and resumes exclusively after the last complete id`() async throws {
        let platform = try Platform()
        platform.transport.answer(.events([event("5-0") + event("6-0"), event("7-0")]))
        platform.transport.answer(.events([event("7-0")]))
        let stream = platform.stream()
        #expect(try await stream.next().ids == ["5-0", "6-0"])
        #expect(try await stream.next().ids == ["7-0"])
        let ended = try await stream.next()
        #expect(ended.frames.isEmpty)
        #expect(ended.wait == .seconds(3))
        #expect(try await stream.next().ids == ["7-0"])
        // 7-0 may have had companions under the same id, so it comes again.
        #expect(platform.lastEventIDs() == ["0-0", "6-0"])
        #expect(platform.time.uptime == .seconds(1003))
    }

    // covers: stream:cut-in-group, stream:shared-ids
    @Test func `resumes before a group of one id that was cut`() async throws {
        let platform = try Platform()
        let lost = HTTPError.connectionLost(url: "x", reason: "reset")
        platform.transport.answer(
            .events([event("5-0") + event("6-0") + event("6-0"), "id: 6-0\nevent: cre"], failure: lost))
        platform.transport.answer(.events([event("6-0") + event("6-0") + event("6-0") + event("8-0")]))
        let stream = platform.stream()
        #expect(try await stream.next().ids.count == 3)
        #expect(try await stream.next().end?.code == "http.connection_lost")
        #expect(try await stream.next().ids == ["6-0", "6-0", "6-0", "8-0"])
        #expect(platform.lastEventIDs() == ["0-0", "5-0"])
    }

    // covers: stream:idle-clock
    @Test func `resumes from a heartbeat less the difference of two clocks`() async throws {
        let platform = try Platform()
        let beats = event("95000-0", "heartbeat", "\"x\"") + event("100000-0", "heartbeat", "\"x\"")
        platform.transport.answer(.events([event("50000-0") + beats]))
        platform.transport.answer(.events([event("97000-0") + event("105000-0", "heartbeat", "\"x\"")]))
        platform.transport.answer(.events([event("97000-0") + event("98000-0")]))
        platform.transport.answer(.events([event("98000-0")]))
        let stream = platform.stream()
        for _ in 0..<7 { _ = try await stream.next() }
        // One heartbeat after an event proves nothing, two do; 97000 is complete once 98000 has come.
        #expect(platform.lastEventIDs() == ["0-0", "90000-0", "90000-0", "97000-0"])
    }

    @Test func `does not take the metrics beside a heartbeat for a second one`() async throws {
        let platform = try Platform()
        platform.transport.answer(
            .events([
                event("50000-0") + event("100000-0", "heartbeat") + event("100000-0", "consumer_metrics")
            ]))
        platform.transport.answer(.events([event("50000-0") + event("60000-0")]))
        let stream = platform.stream()
        for _ in 0..<3 { _ = try await stream.next() }
        #expect(platform.lastEventIDs() == ["0-0", "0-0"])
    }

    @Test func `never resumes beyond an id that may be incomplete`() async throws {
        let platform = try Platform()
        platform.transport.answer(
            .events([
                event("100000-0") + event("200000-0", "heartbeat") + event("200001-0", "heartbeat")
                    + event("150000-0")
            ]))
        platform.transport.answer(.events([event("1-0")]))
        let stream = platform.stream()
        for _ in 0..<3 { _ = try await stream.next() }
        #expect(platform.lastEventIDs() == ["0-0", "100000-0"])
    }

    // covers: stream:status-401, stream:status-410, stream:eof-revoked
    @Test(arguments: [
        (401, "", "opencti.stream_unauthorized"),
        (401, "This live stream doesnt exists", "opencti.stream_unknown"),
        (401, "You need to have access to specific markings for this live stream", "opencti.stream_markings"),
        (404, "", "opencti.stream_not_found"), (410, "This live stream is stopped", "opencti.stream_stopped"),
        (500, "Recovery mode is only possible with a start date.", "opencti.stream_recovery_without_start"),
        (301, "", "opencti.stream_redirected"),
    ])
    func `explains refusals and retries them slowly`(status: Int, reason: String, code: String) async throws {
        let platform = try Platform()
        for _ in 0..<3 {
            platform.transport.answer(.response(HTTPHead(status: status, reason: reason), [], failure: nil))
        }
        platform.transport.answer(.events([event("1-0")]))
        let stream = platform.stream()
        for _ in 0..<3 {
            let refused = try await stream.next()
            #expect(refused.refusal?.code.text == code)
            let wait = try #require(refused.wait)
            #expect((Duration.seconds(30)...Duration.seconds(60)).contains(wait))
        }
        #expect(try await stream.next().ids == ["1-0"])
    }

    // covers: stream:html
    @Test(arguments: [
        ("text/html; charset=utf-8", "opencti.stream_web_page"), ("application/json", "opencti.stream_content_type"),
        ("", "opencti.stream_content_type"),
    ])
    func `does not take a page for a stream`(contentType: String, code: String) async throws {
        let platform = try Platform()
        platform.transport.answer(.stream(["<html>"], headers: ["Content-Type": contentType]))
        #expect(try await platform.stream().next().refusal?.code.text == code)
    }

    // covers: stream:status-5xx, stream:reconnect
    @Test func `backs off from failures and starts over after a frame`() async throws {
        let platform = try Platform()
        for _ in 0..<6 { platform.transport.answer(.failure(.cannotConnect(url: "x", reason: "refused"))) }
        platform.transport.answer(.events([event("1-0")]))
        platform.transport.answer(.status(502))
        let stream = platform.stream()
        var waits: [Duration] = []
        for _ in 0..<6 { waits.append(try #require(try await stream.next().wait)) }
        #expect(waits[0] == .seconds(3))
        #expect(waits.allSatisfy { $0 >= .seconds(3) && $0 <= .seconds(60) })
        #expect(waits.contains { $0 > .seconds(3) })
        #expect(try await stream.next().ids == ["1-0"])
        #expect(try await stream.next().wait == .seconds(3))
        #expect(try await stream.next().refusal?.code == "opencti.stream_status")
    }

    @Test func `honours the server's wishes to wait`() async throws {
        let platform = try Platform()
        platform.transport.answer(.events(["retry: 7000\n" + event("1-0")]))
        platform.transport.answer(.status(429, headers: ["Retry-After": "100"]))
        let stream = platform.stream()
        _ = try await stream.next()
        #expect(try await stream.next().wait == .seconds(7))
        #expect(try await stream.next().wait == .seconds(100))
    }

    // covers: stream:trimmed
    @Test func `finds a gap and asks for a recovery until now`() async throws {
        let platform = try Platform()
        platform.transport.answer(.events([connected("5000-0") + event("6000-0")]))
        platform.transport.answer(.events([connected("5000-0") + event("4000-0")]))
        let stream = platform.stream(
            from: StreamStart(position: EventID(milliseconds: 1000), recoverUntil: "1970-01-01T00:00:02Z"))
        let first = try await stream.next()
        #expect(first.frames.isEmpty)
        guard case .gap(let position, let firstEvent, let until)? = first.notices.last else {
            Issue.record("no gap was told")
            return
        }
        #expect(position == EventID(milliseconds: 1000))
        #expect(firstEvent == EventID(milliseconds: 5000))
        #expect(until.description == "2026-01-01T00:00:00.000Z")
        let second = try await stream.next()
        #expect(second.isConnected)
        #expect(second.ids == [nil, "4000-0"])
        #expect(platform.lastEventIDs() == ["1000-0", "1000-0"])
        #expect(platform.transport.requests[1].request.url.hasSuffix("?recover=2026-01-01T00%3A00%3A00.000Z"))
        #expect(platform.time.uptime == .seconds(1000))
    }

    @Test(arguments: [
        StreamStart(position: .beginning), StreamStart(position: EventID(milliseconds: 5000)),
        StreamStart(position: EventID(milliseconds: 1000), recoverUntil: "1970-01-01T00:00:10Z"),
        StreamStart(position: .beginning, recoverUntil: "5000-0"),
    ])
    func `sees no gap where nothing is lost`(start: StreamStart) async throws {
        let platform = try Platform()
        platform.transport.answer(.events([connected("5000-0") + event("6000-0")]))
        #expect(try await platform.stream(from: start).next().ids == [nil, "6000-0"])
    }

    @Test(arguments: ["{}", "{\"firstEventId\":null}", "nonsense", ""])
    func `does without what connected does not tell`(data: String) async throws {
        let platform = try Platform()
        platform.transport.answer(.events(["event: connected\ndata: \(data)\n\n" + event("6-0")]))
        let batch = try await platform.stream(from: StreamStart(position: EventID(milliseconds: 1))).next()
        #expect(batch.isConnected)
        #expect(batch.ids == [nil, "6-0"])
    }

    // covers: stream:no-recover
    @Test func `stops asking for a recovery that the platform refuses`() async throws {
        let platform = try Platform()
        platform.transport.answer(.events(["event: no-recover\ndata: {}\n\n" + event("1-0")]))
        platform.transport.answer(.events([event("2-0")]))
        let stream = platform.stream(from: StreamStart(recoverUntil: "2025-01-01T00:00:00Z"))
        let batch = try await stream.next()
        #expect(batch.notices.contains { if case .recoveryRefused = $0 { true } else { false } })
        _ = try await stream.next()
        _ = try await stream.next()
        #expect(platform.transport.requests.map { $0.request.url.contains("recover=") } == [true, false])
        #expect(await !stream.isRecovering)
    }

    @Test func `tells the end of a recovery by a live event or two heartbeats`() async throws {
        let platform = try Platform()
        let start = StreamStart(recoverUntil: "1970-01-01T00:00:10Z")
        platform.transport.answer(
            .events([event("9000-0"), event("11000-0", "heartbeat"), event("9500-0"), event("10001-0")]))
        var stream = platform.stream(from: start)
        var finished: [Bool] = []
        for _ in 0..<4 { finished.append(try await stream.next().isRecoveryFinished) }
        #expect(finished == [false, false, false, true])
        platform.transport.answer(
            .events([event("9000-0"), event("11000-0", "heartbeat"), event("16000-0", "heartbeat"), event("17000-0")]))
        stream = platform.stream(from: start)
        finished = []
        for _ in 0..<4 { finished.append(try await stream.next().isRecoveryFinished) }
        #expect(finished == [false, false, true, false])
    }

    @Test func `begins elsewhere when told, at once`() async throws {
        let platform = try Platform()
        platform.transport.answer(.events([event("5-0"), event("6-0")]))
        platform.transport.answer(.events([event("1-0")]))
        let stream = platform.stream()
        _ = try await stream.next()
        await stream.restart(from: StreamStart(position: .beginning, recoverUntil: "2026-01-01T00:00:00Z"))
        #expect(try await stream.next().wait == .zero)
        #expect(try await stream.next().ids == ["1-0"])
        #expect(platform.lastEventIDs() == ["0-0", "0-0"])
        #expect(platform.time.uptime == .seconds(1000))
    }

    @Test func `closes a stream that nobody read for ten minutes and resumes it by id`() async throws {
        let platform = try Platform()
        platform.transport.answer(.events([event("5-0") + event("6-0"), event("7-0")]))
        platform.transport.answer(.events([event("6-0")]))
        let stream = platform.stream()
        _ = try await stream.next()
        platform.time.advance(by: .seconds(599))
        await stream.closeIfUnread()
        #expect(try await stream.next().ids == ["7-0"])
        platform.time.advance(by: .seconds(600))
        await stream.closeIfUnread()
        let paused = try await stream.next()
        guard case .paused = paused.end else {
            Issue.record("the stream was not closed")
            return
        }
        #expect(try await stream.next().ids == ["6-0"])
        #expect(platform.lastEventIDs() == ["0-0", "6-0"])
    }

    @Test func `stays closed once closed, but not after a disconnection`() async throws {
        let platform = try Platform()
        platform.transport.answer(.events([event("5-0")]))
        platform.transport.answer(.events([event("6-0")]))
        let stream = platform.stream()
        _ = try await stream.next()
        #expect(try await stream.next().end != nil)
        #expect(try await stream.next().ids == ["6-0"])
        await stream.close()
        await #expect(throws: CancellationError.self) { _ = try await stream.next() }
        await #expect(throws: CancellationError.self) { _ = try await stream.next() }
        #expect(platform.transport.requests.count == 2)
    }

    @Test func `ends with its task`() async throws {
        let platform = try Platform()
        let stream = platform.stream()
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await stream.next()
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
    }

    @Test func `tells a frame that is too large and goes on`() async throws {
        let platform = try Platform()
        platform.transport.answer(.events([event("5-0", "create", String(repeating: "x", count: 5000)) + event("6-0")]))
        let stream = LiveStream(
            options, client: platform.client, from: StreamStart(), time: platform.time, seed: 1, maxFrameBytes: 1000)
        let batch = try await stream.next()
        #expect(batch.frames.map(\.id) == [EventID(milliseconds: 5), EventID(milliseconds: 6)])
        #expect(batch.frames[0].droppedBytes > 5000)
        #expect(batch.frames[0].kind == .create)
    }
}

@Suite("Reconnect policy") struct ReconnectPolicyTests {
    @Test func `stays within its bounds and reaches the longest wait`() {
        var random = SeededRandom(seed: 7)
        var longest = Duration.zero
        for _ in 0..<200 {
            var policy = ReconnectPolicy()
            for _ in 0..<10 {
                let wait = policy.wait(after: .ended, retry: nil, using: &random)
                #expect(wait >= .seconds(3) && wait <= .seconds(60))
                longest = max(longest, wait)
            }
            policy.succeeded()
            #expect(policy.wait(after: .ended, retry: nil, using: &random) == .seconds(3))
        }
        #expect(longest > .seconds(50))
    }

    @Test func `does not let a server make us hammer it or sleep for ever`() {
        var random = SeededRandom(seed: 7)
        var policy = ReconnectPolicy()
        #expect(policy.wait(after: .ended, retry: .zero, using: &random) == .milliseconds(100))
        policy.succeeded()
        #expect(policy.wait(after: .ended, retry: .seconds(100_000), using: &random) == .seconds(60))
    }
}
