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
            try await checkpoints.set([
                Checkpoints.modified: moment, Checkpoints.goneDevices: Self.text(try await hidden().ids),
            ])
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
        return count + (try await sendGone())
    }

    /// A host that has left the lists is sent once more as no longer managed: OCSF and Sekoia's API have no word for the
    /// removal of an asset. One that has come back is sent as managed again.
    ///
    /// Neither moves a date that could be asked for, so the whole list is compared with what it was.
    private func sendGone() async throws -> Int {
        let (hidden, isWhole) = try await hidden()
        let told = await ids(Checkpoints.goneDevices)
        let gone = hidden.subtracting(told)
        // Of a list that is cut off nobody knows who has left it.
        let back = isWhole ? told.subtracting(hidden) : []
        guard !gone.isEmpty || !back.isEmpty else { return 0 }
        var count = 0
        for part in gone.sorted().parts(of: Self.details) {
            count += try await send(try await devices(part), areManaged: false)
        }
        for part in back.sorted().parts(of: Self.details) { count += try await send(try await devices(part)) }
        events.disappeared(gone.sorted())
        try await checkpoints.set([Checkpoints.goneDevices: Self.text(hidden)])
        return count
    }

    /// Hosts that are hidden, by hand or for their silence: of very many those that changed last.
    private func hidden() async throws -> (ids: Set<String>, isWhole: Bool) {
        var ids: Set<String> = []
        var offset: Int64?
        while true {
            let page = try await falcon.queryHiddenDevices(sort: "modified_timestamp.desc", offset: offset)
            ids.formUnion(page.ids)
            guard let next = page.next.flatMap({ Int64($0) }) else { return (ids, true) }
            guard next + Int64(FalconClient.maxDevicePage) <= FalconClient.maxDeviceOffset else { return (ids, false) }
            offset = next
        }
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
