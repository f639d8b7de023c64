// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import JSON
import OCSF

/// Reads a tenant's hosts, the newest first, down to the last one that was sent.
///
/// The device of the checkpoint may be gone: then the time at which it was first seen ends the look instead. Source: Sekoia.io
/// module, 3.2.
struct DeviceInventory {
    let falcon: FalconClient
    let mapping: DeviceMapping
    let groups: GroupCache
    let checkpoints: Checkpoints
    let events: InventoryEvents
    let time: any TimeSource
    /// Takes events to where they go; returns when they have been taken.
    let emit: ([InventoryEvent]) async throws -> Void
    let isResumable: Bool

    /// Hosts of one question for details.
    static let details = 500

    /// One cycle: what a crash has left, then what is new.
    ///
    /// - Returns: how many events were sent.
    func cycle() async throws -> Int {
        var count = try await resume()
        count += try await collectNew()
        return count
    }

    /// Goes on with a cycle that was cut off.
    private func resume() async throws -> Int {
        guard let text = await checkpoints.value(Checkpoints.partial), let left = Partial(text) else { return 0 }
        let filter = "first_seen:<='\(left.downTo)'"
        let count = try await collect(filter, left)
        try await finish(left)
        return count
    }

    private func collectNew() async throws -> Int {
        // One page as the original asks: as a rule it holds all that is new.
        let first = try await falcon.queryDevices(sort: Self.order, limit: 100)
        let last = await checkpoints.value(Checkpoints.device)
        guard let newest = first.ids.first, newest != last else { return 0 }
        let seen = try await device(newest)?.firstSeen ?? ""
        let partial = Partial(newest: newest, since: seen, downTo: seen)
        let count = try await collect(nil, partial, first)
        try await finish(partial)
        return count
    }

    private static let order = "first_seen.desc"

    private func finish(_ partial: Partial) async throws {
        try await checkpoints.set([
            Checkpoints.device: partial.newest, Checkpoints.since: partial.since, Checkpoints.partial: nil,
        ])
    }

    /// Sends everything that a filter takes, down to the checkpoint.
    private func collect(_ filter: String?, _ partial: Partial, _ first: FalconIDPage? = nil) async throws -> Int {
        let last = await checkpoints.value(Checkpoints.device)
        let since = try await since(last)
        var count = 0
        var listing = DeviceListing(falcon: falcon, filter: filter, sort: Self.order, first: first)
        while let page = try await listing.next() {
            let end = last.flatMap { page.firstIndex(of: $0) }
            let falcon = falcon
            let parts = Array(page[..<(end ?? page.endIndex)]).parts(of: Self.details)
            var ahead = try await devices(parts.first ?? [])
            for index in parts.indices {
                // While these are sent the next are read.
                let next = index + 1 < parts.count ? parts[index + 1] : []
                async let following = Self.devices(next, falcon)
                let fresh = Array(ahead.prefix { !Self.isOlder($0, than: since) })
                count += try await send(fresh)
                if fresh.count < ahead.count { return count }
                if isResumable, let lowest = fresh.last?.firstSeen, Timestamp(parsing: lowest) != nil {
                    var reached = partial
                    reached.downTo = lowest
                    try await checkpoints.set([Checkpoints.partial: reached.text])
                }
                ahead = try await following
            }
            if end != nil { break }
        }
        return count
    }

    /// A host without a date is never older.
    private static func isOlder(_ device: FalconDevice, than since: Timestamp?) -> Bool {
        guard let since, let seen = device.firstSeen.flatMap({ Timestamp(parsing: $0) }) else { return false }
        return seen < since
    }

    /// When the device of the checkpoint was first seen; asked once where the original left only its id.
    private func since(_ last: String?) async throws -> Timestamp? {
        guard let last else { return nil }
        if let known = await checkpoints.value(Checkpoints.since), !known.isEmpty { return Timestamp(parsing: known) }
        return try await device(last)?.firstSeen.flatMap { Timestamp(parsing: $0) }
    }

    private func device(_ id: String) async throws -> FalconDevice? { try await devices([id]).first }

    func devices(_ ids: [String]) async throws -> [FalconDevice] { try await Self.devices(ids, falcon) }

    @concurrent
    private static func devices(_ ids: [String], _ falcon: FalconClient) async throws -> [FalconDevice] {
        guard !ids.isEmpty else { return [] }
        let rows: [FalconDevice]
        do throws(FalconError) { rows = try await falcon.devices(ids) { FalconDevice($0) }.rows } catch {
            if case .notFound = error { return [] }
            throw error
        }
        let byID = Dictionary(rows.map { ($0.deviceID ?? "", $0) }) { first, _ in first }
        return ids.compactMap { byID[$0] }
    }

    func send(_ devices: [FalconDevice], areManaged: Bool = true) async throws -> Int {
        let known = await groups.groups(devices.flatMap(\.groups))
        let now = Timestamp(microseconds: time.now.milliseconds * 1000)
        var list: [InventoryEvent] = []
        for device in devices {
            if let event = mapping.event(device, groups: known, now: now, isManaged: areManaged),
                event.problems.isEmpty
            {
                list.append(event)
            } else {
                events.skipped(device.deviceID ?? "")
            }
        }
        if !list.isEmpty { try await emit(list) }
        return list.count
    }

    /// A cycle under way: what the checkpoint will be, and the last date that has been taken.
    struct Partial: Sendable {
        var newest: String
        var since: String
        var downTo: String

        init(newest: String, since: String, downTo: String) {
            self.newest = newest
            self.since = since
            self.downTo = downTo
        }

        init?(_ text: String) {
            guard let value = try? JSONValue(parsing: text), let newest = value["newest"]?.string,
                let downTo = value["down_to"]?.string, !downTo.isEmpty
            else { return nil }
            self.init(newest: newest, since: value["since"]?.string ?? "", downTo: downTo)
        }

        var text: String {
            JSONValue.object([
                "newest": .string(newest), "since": .string(since), "down_to": .string(downTo),
            ]).text
        }
    }
}

/// Ids of hosts, page by page: by offset while that reaches, by scroll beyond 10,000.
struct DeviceListing {
    /// So many hosts may leave the list between two pages without one being passed over.
    private static let overlap = 50

    let falcon: FalconClient
    let filter: String?
    let sort: String
    /// A page that has been read already.
    var first: FalconIDPage?
    private var offset: Int64 = 0
    private var cursor: String?
    private var isScroll = false
    private var isOver = false
    private var seen: Set<String> = []

    init(falcon: FalconClient, filter: String?, sort: String, first: FalconIDPage?) {
        self.falcon = falcon
        self.filter = filter
        self.sort = sort
        self.first = first
    }

    mutating func next() async throws -> [String]? {
        guard !isOver else { return nil }
        if let page = first {
            first = nil
            return take(page)
        }
        if isScroll {
            let page = try await falcon.scrollDevices(filter, sort: sort, limit: 5000, cursor: cursor)
            cursor = page.next
            isOver = page.next == nil
            // The scroll begins at the top once more. It is not added to what is known: it has no end.
            return page.ids.filter { !seen.contains($0) }
        }
        return take(try await falcon.queryDevices(filter, sort: sort, limit: 5000, offset: offset))
    }

    private mutating func take(_ page: FalconIDPage) -> [String] {
        // A host that leaves the list meanwhile moves all behind it forward, so pages overlap.
        let overlap = Int64(min(Self.overlap, page.ids.count / 2))
        offset = max(0, (page.next.flatMap { Int64($0) } ?? 0) - overlap)
        isOver = page.next == nil
        isScroll = page.total ?? 0 > FalconClient.maxDeviceOffset || offset + 5000 > FalconClient.maxDeviceOffset
        return page.ids.filter { seen.insert($0).inserted }
    }
}

/// Host groups by id, kept for an hour.
actor GroupCache {
    private let falcon: FalconClient
    private let events: InventoryEvents
    private let time: any TimeSource
    private var known: [String: HostGroup?] = [:]
    private var expires: Duration = .zero

    init(_ falcon: FalconClient, events: InventoryEvents, time: any TimeSource) {
        self.falcon = falcon
        self.events = events
        self.time = time
    }

    /// What could be learned of them. A failed call names them by their ids, as the original does.
    func groups(_ ids: [String]) async -> [String: HostGroup] {
        if time.uptime >= expires {
            known = [:]
            expires = time.uptime + .seconds(3600)
        }
        let missing = Set(ids).filter { known[$0] == nil }.sorted()
        for start in stride(from: 0, to: missing.count, by: FalconClient.maxHostGroups) {
            let part = Array(missing[start..<min(start + FalconClient.maxHostGroups, missing.count)])
            for id in part { known.updateValue(nil, forKey: id) }
            do throws(FalconError) {
                for group in try await falcon.hostGroups(part) { known[group.id] = group }
                events.hint("groups", nil)
            } catch {
                if case .notFound = error { continue }
                events.hint("groups", "Host groups are named by their ids: \(error.description)")
                if error.isRetryable { for id in part { known[id] = nil } }
            }
        }
        return Dictionary(ids.compactMap { id in (known[id] ?? nil).map { (id, $0) } }) { first, _ in first }
    }
}

extension Array {
    /// Its elements in order, so many at a time.
    func parts(of count: Int) -> [[Element]] {
        stride(from: 0, to: self.count, by: count).map { Array(self[$0..<Swift.min($0 + count, self.count)]) }
    }
}
