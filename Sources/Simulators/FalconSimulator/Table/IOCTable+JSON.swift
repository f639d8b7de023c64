// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

extension IOCTable {
    /// One IOC as the API gives it (Falcon API, 4.1). What has expired acts no more, though it is still listed.
    func write(_ number: Int, at now: Int64, into writer: inout JSONWriter) {
        let row = rows[number]
        let isExpired = row.isExpired(at: now)
        writer.beginObject()
        writer.key("id")
        writer.string(id(of: number))
        writer.key("type")
        writer.string(row.type.name)
        writer.key("value")
        write(arena[row.value], into: &writer)
        writer.key("source")
        write(words[row.source][...], into: &writer)
        writer.key("action")
        writer.string(isExpired ? IOCAction.noAction.name : row.action.name)
        writer.key("mobile_action")
        writer.string(isExpired ? IOCAction.noAction.name : row.mobileAction.name)
        writer.key("severity")
        writer.string(row.severity.name)
        if row.description.length > 0 {
            writer.key("description")
            write(arena[row.description], into: &writer)
        }
        if row.filename != 0 {
            writer.key("metadata")
            writer.beginObject()
            writer.key("filename")
            write(words[row.filename][...], into: &writer)
            writer.endObject()
        }
        writer.key("platforms")
        writer.beginArray()
        for name in row.platforms.list { writer.string(name) }
        writer.endArray()
        writer.key("tags")
        writer.raw(row.tags == 0 ? Self.emptyList : words[row.tags])
        writer.key("host_groups")
        writer.raw(row.hostGroups == 0 ? Self.emptyList : words[row.hostGroups])
        writer.key("applied_globally")
        writer.bool(row.isGlobal)
        if row.expiration != .max {
            writer.key("expiration")
            writer.string(Instant(milliseconds: row.expiration).secondsDescription)
        }
        writer.key("expired")
        writer.bool(isExpired)
        writer.key("deleted")
        writer.bool(row.isDeleted)
        writer.key("from_parent")
        writer.bool(false)
        writer.key("created_on")
        writer.string(Instant(milliseconds: row.createdOn).description)
        writer.key("created_by")
        write(words[row.createdBy][...], into: &writer)
        writer.key("modified_on")
        writer.string(Instant(milliseconds: row.modifiedOn).description)
        writer.key("modified_by")
        write(words[row.modifiedBy][...], into: &writer)
        writer.endObject()
    }

    private static let emptyList = Array("[]".utf8)

    private func write(_ text: ArraySlice<UInt8>, into writer: inout JSONWriter) {
        text.withUnsafeBufferPointer { writer.string(utf8: $0) }
    }

    /// How many there are in each state.
    func states(at now: Int64) -> JSONValue {
        var byType: [String: Int] = [:]
        var byAction: [String: Int] = [:]
        var expired = 0
        for number in 0..<rows.count where !rows[number].isDeleted {
            byType[rows[number].type.name, default: 0] += 1
            byAction[rows[number].action.name, default: 0] += 1
            if rows[number].isExpired(at: now) { expired += 1 }
        }
        func sorted(_ counts: [String: Int]) -> JSONValue {
            .object(JSONObject(counts.sorted { $0.key < $1.key }.map { (key: $0.key, value: .int($0.value)) }))
        }
        return [
            "live": .int(liveCount), "deleted": .int(rows.count - liveCount), "expired": .int(expired),
            "by_type": sorted(byType), "by_action": sorted(byAction), "writes": counters.json,
        ]
    }
}

extension IOCTable.Counters {
    var json: JSONValue {
        [
            "creates": .int(creates), "updates": .int(updates), "idle_updates": .int(idleUpdates),
            "deletes": .int(deletes), "recreates": .int(recreates), "refused_duplicates": .int(refusedDuplicates),
            "refused_invalid": .int(refusedInvalid), "refused_by_quota": .int(refusedByQuota),
            "unknown_ids": .int(unknownIDs),
        ]
    }
}
