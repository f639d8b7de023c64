// SPDX-License-Identifier: Apache-2.0

import Base
import NetAddress
import Storage

@testable import Engine

/// Contents are words: `domain:evil.example`, `ip:192.0.2.1`, `hash:…`, each with what a source wants of it after a blank.
/// Across flows the longest word stands; a mark ends in `†`.
struct TextModel: StateModel {
    var isSoft = false

    func merged(_ owners: [LedgerOwner]) -> [UInt8] {
        var latest: [Int64: LedgerOwner] = [:]
        for owner in owners
        where latest[owner.flow].map({ ($0.event, $0.source) < (owner.event, owner.source) }) ?? true {
            latest[owner.flow] = owner
        }
        return latest.values.map(\.contribution).max { ($0.count, $0.text) < ($1.count, $1.text) } ?? []
    }

    func removal(of contribution: [UInt8], by template: [UInt8]) -> [UInt8] { contribution + template }
    func remainder(of removal: [UInt8]) -> Remainder { isSoft ? .marked(removal + Array("†".utf8)) : .nothing }

    func digest(of content: [UInt8]) -> Digest128 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in content { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Digest128(high: 1, low: hash)
    }

    func subject(of content: [UInt8]) -> GuardSubject {
        let parts = content.text.split(separator: " ")[0].split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return .other }
        return switch parts[0] {
        case "domain": .domain(parts[1])
        case "hash": .hash(parts[1])
        case "ip": IPAddress(parsing: parts[1]).map { .address($0) } ?? .other
        default: .other
        }
    }
}

extension [UInt8] {
    var text: String { String(decoding: self, as: UTF8.self) }
    init(_ text: String) { self = Array(text.utf8) }
}

/// The key of a content's first word.
func key(_ name: String) -> Digest128 {
    Digest128(high: 7, low: TextModel().digest(of: [UInt8](String(name.split(separator: " ")[0]))).low)
}

func source(_ number: UInt64) -> Digest128 { Digest128(high: 9, low: number) }

extension Item {
    /// An event of `source` at the place `number`.
    init(_ number: UInt64, from source: UInt64, _ effects: [Effect] = [], group: UInt64? = nil) {
        let group = SourcePosition(major: group ?? number)
        self.init(
            group: group, position: group, source: EngineTests.source(source),
            time: Instant(milliseconds: Int64(number)), label: "update", effects: effects)
    }

    /// It wants all of these, and nothing else any more.
    static func wants(_ number: UInt64, from source: UInt64, _ contents: String..., group: UInt64? = nil) -> Item {
        var item = Item(
            number, from: source, contents.map { .state(key: key($0), .upsert([UInt8]($0))) }, group: group)
        item.replacesSource = true
        return item
    }

    static func drops(_ number: UInt64, from source: UInt64, _ contents: String..., group: UInt64? = nil) -> Item {
        var item = Item(
            number, from: source, contents.map { .state(key: key($0), .remove([UInt8]($0))) }, group: group)
        item.replacesSource = true
        return item
    }

    /// A dependency, a heartbeat: it only moves the position.
    static func nothing(_ number: UInt64, group: UInt64? = nil) -> Item {
        var item = Item(number, from: 0, [], group: group)
        item.note = .init(.skipped, code: "nothing", reason: "", isQuiet: true)
        return item
    }
}
