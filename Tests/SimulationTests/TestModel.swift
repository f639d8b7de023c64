// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import NetAddress
import Storage

/// Two bytes of content: the key's name and the variant; a mark is `[0xFF]`.
struct TestModel: StateModel {
    let isSoft: Bool

    func merged(_ owners: [LedgerOwner]) -> [UInt8] {
        owners.max { ($0.event, $0.source) < ($1.event, $1.source) }?.contribution ?? []
    }
    func removal(of contribution: [UInt8], by template: [UInt8]) -> [UInt8] { template.isEmpty ? [102] : template }
    func remainder(of removal: [UInt8]) -> Remainder { isSoft ? .marked([0xFF]) : .nothing }
    func digest(of content: [UInt8]) -> Digest128 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in content { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Digest128(high: 1, low: hash)
    }
    func subject(of content: [UInt8]) -> GuardSubject {
        content.first == Platform.vetoed ? IPAddress(parsing: "127.0.0.1").map { .address($0) } ?? .other : .other
    }
}
