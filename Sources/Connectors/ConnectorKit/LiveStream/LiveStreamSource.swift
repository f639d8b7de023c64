// SPDX-License-Identifier: Apache-2.0

public import Base
public import Engine
public import OpenCTI
public import Storage
import Synchronization
import Telemetry

/// Makes items out of a live stream's events. One belongs to one reader, so it may keep a parser.
public protocol StreamTranslator {
    /// One event, its place already in the item. Pure: no network, no log; the only clock is `now`.
    ///
    /// - Parameters:
    ///   - kind: the name of the server-sent event, which decides; never the `type` inside.
    ///   - data: the text of its data line.
    ///   - now: when it was first seen.
    func translate(_ kind: StreamFrame.Kind, _ data: UnsafeRawBufferPointer, into item: inout Item, now: Instant)
    /// Looks up what the events of a batch need and completes their items. Faults that pass are waited for here.
    ///
    /// - Throws: what only a new start can mend, and cancellation.
    func complete(_ items: inout [Item], now: Instant) async throws
}

extension StreamTranslator {
    public func complete(_ items: inout [Item], now: Instant) async throws {}
}

/// The live stream as a source of items.
///
/// An actor, so that the translator with its parser belongs to one reader.
public actor LiveStreamSource<Translator: StreamTranslator>: FlowSource {
    private let stream: LiveStream
    private let translator: Translator
    private let progress: StreamState
    private let events: StreamEvents
    private let status: FlowStatus
    private let time: any TimeSource
    /// Whether a recovery from the very beginning is under way: its end makes the ledger complete.
    private var recoversEverything: Bool
    /// For a dry run: ends with the first sign that nothing is left to read.
    private let stopsWhenCaughtUp: Bool
    private var hasCaughtUp = false
    private var lastData: EventID?
    private let isClosed = Atomic(false)

    /// - Parameters:
    ///   - recoversEverything: a recovery from the very beginning is under way; its end becomes a marker item.
    ///   - stopsWhenCaughtUp: ends with the first heartbeat after it, for a dry run.
    public init(
        stream: LiveStream, translator: sending Translator, progress: StreamState, events: StreamEvents,
        status: FlowStatus, time: any TimeSource, recoversEverything: Bool, stopsWhenCaughtUp: Bool = false
    ) {
        self.stream = stream
        self.translator = translator
        self.progress = progress
        self.events = events
        self.status = status
        self.time = time
        self.recoversEverything = recoversEverything
        self.stopsWhenCaughtUp = stopsWhenCaughtUp
    }

    public func next() async throws -> SourceRead {
        while true {
            if let reason = progress.restartReason { throw ConnectorError.restart(reason: reason) }
            if isClosed.load(ordering: .relaxed) || (stopsWhenCaughtUp && hasCaughtUp) { return .end }
            let batch: StreamBatch
            do { batch = try await stream.next() } catch {
                if isClosed.load(ordering: .relaxed) { return .end }
                throw error
            }
            var items: [Item] = []
            items.reserveCapacity(batch.frames.count + 1)
            translate(batch, isRecovering: await stream.isRecovering, into: &items)
            try await complete(&items)
            // After the frames: the end of a recovery must not overtake its last ones.
            for notice in batch.notices { heed(notice, &items) }
            if stopsWhenCaughtUp, batch.frames.contains(where: { $0.kind == .heartbeat }) {
                hasCaughtUp = await !stream.isRecovering
            }
            if !items.isEmpty { return .items(items) }
        }
    }

    private func translate(_ batch: StreamBatch, isRecovering: Bool, into items: inout [Item]) {
        let now = time.now
        batch.forEachFrame { frame, data in
            guard frame.kind != .connected, let id = frame.id ?? lastData else { return }
            let group = SourcePosition(major: id.milliseconds, minor: id.sequence)
            var item = Item(
                group: group, position: group, source: Digest128(high: 0, low: 0), time: id.instant,
                label: batch.eventName(of: frame) ?? "event")
            switch frame.kind {
            case .heartbeat:
                // While the database is replayed the clock says nothing of how far that is. And the platform's clock and
                // its event log's may differ by some seconds: not trusted up to the end.
                let cautious = isRecovering ? .beginning : id.earlier(by: .seconds(10))
                let position = lastData.map { max($0, cautious) } ?? cautious
                item.position = SourcePosition(major: position.milliseconds, minor: position.sequence)
            case .connected, .noRecover: return
            case .create, .update, .delete, .merge, .unknown:
                lastData = id
                if frame.droppedBytes > 0 {
                    item.note = .init(
                        .deadLettered, code: "event.too_large",
                        reason:
                            "An event of \(frame.droppedBytes) bytes was not read. Raise the limit or look at it in OpenCTI."
                    )
                } else {
                    let slice = batch.slice(of: frame)
                    item.input = InputSlice(chunk: slice.bytes, range: slice.range)
                    if frame.kind.isData {
                        translator.translate(frame.kind, data, into: &item, now: now)
                    } else {
                        item.note = .init(.skipped, code: "event.unknown", reason: item.label)
                    }
                }
                events.message(item.label, id)
            }
            items.append(item)
        }
    }

    /// While facts are looked up, a stop must not wait for them.
    private func complete(_ items: inout [Item]) async throws {
        do { try await translator.complete(&items, now: time.now) } catch {
            if isClosed.load(ordering: .relaxed) { items = [] } else { throw error }
        }
    }

    private func heed(_ notice: StreamNotice, _ items: inout [Item]) {
        switch notice {
        case .connected:
            events.connected()
            status.source(trouble: nil)
        case .disconnected(let end, let wait):
            events.disconnected(end, wait)
            if end.code != nil { status.source(trouble: end.reason) }
        case .gap(let position, let first, _):
            events.gap(position, first)
            progress.mustRecover()
        case .recoveryRefused:
            events.recoveryRefused()
            progress.recoveryIsOff()
            recoversEverything = false
        case .recoveryFinished:
            guard recoversEverything else { return }
            recoversEverything = false
            var end = Item(
                group: SourcePosition(major: 0), position: nil, source: Digest128(high: 0, low: 0), time: time.now,
                label: "recovery")
            end.marker = .recoveryEnd
            items.append(end)
        }
    }

    public func acknowledge(_ position: SourcePosition) async {
        progress.isDurable(EventID(milliseconds: position.major, sequence: position.minor))
    }

    public func item(from letter: DeadLetter) async -> Item? {
        // `<event> <position>`, as the engine wrote it.
        let parts = letter.position.split(separator: " ")
        guard parts.count == 2, let group = SourcePosition(parsing: parts[1]) else { return nil }
        let kind: StreamFrame.Kind
        switch parts[0] {
        case "create": kind = .create
        case "update": kind = .update
        case "delete": kind = .delete
        default: return nil
        }
        var item = Item(
            group: group, position: nil, source: letter.source,
            time: Instant(milliseconds: Int64(clamping: group.major)), label: String(parts[0]))
        item.input = InputSlice(letter.input)
        letter.input.withUnsafeBytes { translator.translate(kind, $0, into: &item, now: time.now) }
        var items = [item]
        do { try await translator.complete(&items, now: time.now) } catch { return nil }
        return items.first
    }

    /// A reader that is paused for long gives its connection back, and resumes by position later.
    public nonisolated func tend() async { await stream.closeIfUnread() }

    public nonisolated func close() async {
        isClosed.store(true, ordering: .relaxed)
        await stream.close()
    }
}

/// The position as the platform keeps it, for the ping loop: only what is durable here is told there.
public final class StreamState: Sendable {
    private struct State {
        var connector: ConnectorState
        var restartReason: String?
        var hasGap = false
        var expectsReset = false
    }
    private let state: Mutex<State>

    public init(_ connector: ConnectorState) { state = Mutex(State(connector: connector)) }

    public var connector: ConnectorState { state.withLock { $0.connector } }
    public var hasGap: Bool { state.withLock { $0.hasGap } }
    public var restartReason: String? { state.withLock { $0.restartReason } }

    func isDurable(_ position: EventID) { state.withLock { $0.connector.startFrom = position } }
    func recoveryIsOff() { state.withLock { $0.connector.recoverUntil = nil } }

    /// Events were lost for good: everything has to be read once more.
    func mustRecover() {
        state.withLock {
            $0.hasGap = true
            $0.restartReason = "the platform's log starts after our position: a complete recovery is needed"
        }
    }

    /// This run begins afresh because the platform has no state. Where that is so because of a reset, the first ping's answer
    /// says it once more, and that is no reason to begin once again.
    func expectsReset() { state.withLock { $0.expectsReset = true } }

    /// - Returns: whether a reset was expected; only the first answer may be.
    func takesReset() -> Bool {
        state.withLock { state in
            defer { state.expectsReset = false }
            return state.expectsReset
        }
    }

    /// The platform holds another state than ours: everything that depends on it starts again.
    public func replaced(because reason: String) { state.withLock { $0.restartReason = reason } }
}
