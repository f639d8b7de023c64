// SPDX-License-Identifier: Apache-2.0

import Base
import TestKit
import Testing

@testable import HTTPClient

@Suite("Request budget", .timeLimit(.minutes(1))) struct TokenBucketTests {
    private func head(_ status: Int = 200, _ headers: HTTPHeaders = [:]) -> HTTPHead {
        HTTPHead(status: status, headers: headers)
    }

    @Test func `lets a burst through, then keeps the rate`() async throws {
        let time = TestTime(jumping: true)
        let bucket = TokenBucket(name: "t", limit: 600, burst: 3, time: time)
        let start = time.uptime
        var moments: [Duration] = []
        for _ in 0..<6 {
            try await bucket.take()
            moments.append(time.uptime - start)
        }
        #expect(moments == [0, 0, 0, 100, 200, 300].map { .milliseconds($0) })
        time.advance(by: .seconds(10))
        let later = time.uptime
        for _ in 0..<3 { try await bucket.take() }
        #expect(time.uptime == later)
        try await bucket.take()
        #expect(time.uptime == later + .milliseconds(100))
    }

    @Test func `serves in the order of asking`() async throws {
        let time = TestTime()
        let bucket = TokenBucket(name: "t", limit: 60, burst: 1, time: time)
        let served = Recorder<Int>()
        try await bucket.take()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<5 {
                group.addTask {
                    try await bucket.take()
                    served.append(number)
                }
                await time.waitForSleepers(number + 1)
            }
            for count in 1...5 {
                time.advance(by: .seconds(1))
                await served.wait(for: count)
                #expect(served.elements == Array(0..<count))
            }
            try await group.waitForAll()
        }
    }

    // covers: falcon:429
    @Test func `a 429 makes everybody wait, those who already wait too, and the distance stays`() async throws {
        let time = TestTime()
        let bucket = TokenBucket(name: "t", limit: 60, burst: 1, time: time)
        let served = Recorder<Int>()
        try await bucket.take()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<3 {
                group.addTask {
                    try await bucket.take()
                    served.append(number)
                }
                await time.waitForSleepers(number + 1)
            }
            bucket.learn(from: head(429, ["X-Ratelimit-RetryAfter": "1795255210"]))
            // Their old moments pass; each finds the pause and sleeps again.
            time.advance(by: .seconds(5))
            await time.waitForSleepers(3)
            #expect(served.elements.isEmpty)
            time.advance(by: .seconds(5))
            await time.waitForSleepers(3)
            for count in 1...3 {
                time.advance(by: .seconds(1))
                await served.wait(for: count)
                #expect(served.elements == Array(0..<count))
            }
            try await group.waitForAll()
        }
    }

    @Test func `refusals without advice wait longer and longer`() async throws {
        let time = TestTime(jumping: true)
        let bucket = TokenBucket(name: "t", limit: 60_000, time: time)
        var waits: [Int64] = []
        for _ in 0..<7 {
            bucket.learn(from: head(429))
            let before = time.uptime
            try await bucket.take()
            waits.append((time.uptime - before).components.seconds)
        }
        #expect(waits == [2, 4, 8, 16, 32, 60, 60])
        bucket.learn(from: head())
        bucket.learn(from: head(429))
        let before = time.uptime
        try await bucket.take()
        #expect((time.uptime - before).components.seconds == 2)
    }

    @Test(arguments: [(11, 0), (10, 200), (6, 200), (5, 500), (0, 500)])
    func `slows down near the server's end`(_ remaining: Int, _ milliseconds: Int64) async throws {
        let time = TestTime(jumping: true)
        let bucket = TokenBucket(name: "t", limit: 6000, time: time)
        bucket.learn(from: head(200, ["X-Ratelimit-Limit": "6000", "X-Ratelimit-Remaining": "\(remaining)"]))
        let before = time.uptime
        try await bucket.take()
        #expect(time.uptime - before >= .milliseconds(milliseconds))
        #expect(time.uptime - before <= .milliseconds(milliseconds + 10))
    }

    @Test func `the server's count lowers the burst, its limit changes the rate`() async throws {
        let time = TestTime(jumping: true)
        let bucket = TokenBucket(name: "t", limit: 6000, burst: 100, time: time)
        bucket.learn(from: head(200, ["X-Ratelimit-Limit": "60", "X-Ratelimit-Remaining": "20"]))
        let start = time.uptime
        for _ in 0..<20 { try await bucket.take() }
        #expect(time.uptime == start)
        try await bucket.take()
        #expect(time.uptime == start + .seconds(1))
        let deaf = TokenBucket(name: "t", limit: 6000, burst: 100, followsServer: false, time: time)
        deaf.learn(from: head(200, ["X-Ratelimit-Limit": "1", "X-Ratelimit-Remaining": "0"]))
        let later = time.uptime
        for _ in 0..<100 { try await deaf.take() }
        #expect(time.uptime == later)
    }

    @Test func `a turn after the deadline is refused at once, and is free for others`() async throws {
        let time = TestTime(jumping: true)
        let bucket = TokenBucket(name: "budget", limit: 60, burst: 1, time: time)
        try await bucket.take()
        for _ in 0..<10 {
            let error = await #expect(throws: HTTPError.self) {
                try await bucket.take(by: .after(.milliseconds(500), on: time))
            }
            #expect(error?.code == "http.timeout")
        }
        #expect(time.slept.isEmpty)
        try await bucket.take(by: .after(.seconds(1), on: time))
    }

    @Test func `a cancelled turn is free for others`() async throws {
        let time = TestTime()
        let bucket = TokenBucket(name: "t", limit: 60, burst: 1, time: time)
        try await bucket.take()
        for _ in 0..<10 {
            let call = Task { try await bucket.take() }
            await time.waitForSleepers(1)
            call.cancel()
            await #expect(throws: HTTPError.self) { try await call.value }
        }
        time.advance(by: .seconds(1))
        try await bucket.take(by: .after(.zero, on: time))
    }

    @Test func `the decorator takes a turn per attempt and learns from each answer`() async throws {
        let time = TestTime(jumping: true)
        let script = ScriptedTransport()
        let bucket = TokenBucket(name: "t", limit: 6000, time: time)
        let transport = RateLimited(script, budget: bucket)
        script.answer(.status(429, headers: ["Retry-After": "20"]))
        script.answer(.stream(["a"]))
        let start = time.uptime
        #expect(try await transport.send(HTTPRequest(.get, "http://h/"), by: .never).status == 429)
        #expect(try await transport.open(HTTPRequest(.get, "http://h/"), by: .never).head.status == 200)
        #expect(time.uptime - start >= .seconds(20))
    }
}
