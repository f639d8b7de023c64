// SPDX-License-Identifier: Apache-2.0

import Base
import Falcon
import JSON

/// Hosts that have changed since the last cycle, and those that have left the lists.
///
/// Falcon dates changes to the second, and many hosts change in the same one: the moment of the checkpoint is asked for once
/// more, and the hosts of it that have been sent are remembered.
extension DeviceInventory {
    /// Hosts remembered of one moment; when more have changed in it, they are sent once more.
    private static let maxRemembered = 20_000

    /// Where the changes have come to: the latest date, and the hosts of that date which have been sent.
    private struct Reached {
        var moment: String
        var sent: Set<String>

        func covers(_ device: FalconDevice) -> Bool {
            device.modified == moment && device.deviceID.map(sent.contains) ?? false
        }

        mutating func take(_ devices: [FalconDevice]) {
            for device in devices {
                guard let modified = device.modified, let id = device.deviceID, modified >= moment else { continue }
                if modified > moment {
                    moment = modified
                    sent = []
                }
                if sent.count < DeviceInventory.maxRemembered { sent.insert(id) }
            }
        }
    }

    /// - Parameter begin: of the cycle; what has changed while it ran comes with the next.
    /// - Returns: how many events were sent.
    func updates(since begin: Instant) async throws -> Int {
        guard let until = await checkpoints.value(Checkpoints.modified) else {
            // The first time everything has just been sent. Falcon's clock may be behind ours.
            let moment = begin.advanced(by: .seconds(-300)).secondsDescription
            try await checkpoints.set([Checkpoints.modified: moment])
            return 0
        }
        var reached = Reached(moment: until, sent: await ids(Checkpoints.modifiedDevices))
        var count = 0
        while true {
            let from = reached.moment
            let page = try await falcon.queryDevices(
                "modified_timestamp:>='\(from)'", sort: "modified_timestamp.asc", limit: FalconClient.maxDevicePage)
            count += try await sendChanged(page.ids, &reached)
            guard page.next != nil else { break }
            guard reached.moment == from else { continue }
            // More hosts changed in this moment than a page holds.
            var listing = DeviceListing(
                falcon: falcon, filter: "modified_timestamp:'\(from)'", sort: "device_id.asc", first: nil)
            while let ids = try await listing.next() { count += try await sendChanged(ids, &reached) }
            let rest = try await falcon.queryDevices(
                "modified_timestamp:>'\(from)'", sort: "modified_timestamp.asc", limit: FalconClient.maxDevicePage)
            count += try await sendChanged(rest.ids, &reached)
            guard rest.next != nil, reached.moment > from else { break }
        }
        try await tellGone(since: until)
        return count
    }

    /// Each is told once, however often a cycle finds it: a host that is gone moves no date of those that are left.
    private func tellGone(since moment: String) async throws {
        let hidden = try await falcon.queryHiddenDevices("modified_timestamp:>'\(moment)'").ids
        let told = await ids(Checkpoints.goneDevices)
        let fresh = hidden.filter { !told.contains($0) }
        guard !fresh.isEmpty || !told.isEmpty else { return }
        events.disappeared(fresh)
        try await checkpoints.set([Checkpoints.goneDevices: Self.text(Set(hidden))])
    }

    private func ids(_ name: String) async -> Set<String> {
        let text = await checkpoints.value(name) ?? "[]"
        return Set((try? JSONValue(parsing: text))?.array?.compactMap(\.string) ?? [])
    }

    private static func text(_ ids: Set<String>) -> String {
        JSONValue.array(ids.sorted().map { .string($0) }).text
    }

    private func sendChanged(_ ids: [String], _ reached: inout Reached) async throws -> Int {
        var count = 0
        for part in ids.parts(of: Self.details) {
            let changed = try await devices(part).filter { !reached.covers($0) }
            guard !changed.isEmpty else { continue }
            count += try await send(changed)
            reached.take(changed)
            try await checkpoints.set([
                Checkpoints.modified: reached.moment,
                Checkpoints.modifiedDevices: Self.text(reached.sent),
            ])
        }
        return count
    }
}
