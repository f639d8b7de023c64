// SPDX-License-Identifier: Apache-2.0

public import Base
public import NetAddress
public import Storage

/// What the engine must know of a connector's contributions. Pure: the same owners always give the same content.
public protocol StateModel: Sendable {
    /// The content that shall stand while these owners (at least one) want the key.
    ///
    /// Within a flow the owner with the latest event stands; across flows the connector decides (strictest action).
    func merged(_ owners: [LedgerOwner]) -> [UInt8]
    /// The removal of one key that `item` no longer names: the owner's own contribution, with what the item's template
    /// says of the manner. An empty template means that there is no newer fact than the contribution.
    func removal(of contribution: [UInt8], by template: [UInt8]) -> [UInt8]
    /// What the last owner leaves behind.
    func remainder(of removal: [UInt8]) -> Remainder
    /// Names a content: equal contents, equal digests; hostile feeds can't make two contents meet.
    func digest(of content: [UInt8]) -> Digest128
    /// What a guard looks at.
    func subject(of content: [UInt8]) -> GuardSubject
    /// Whether the removal of a key that the ledger does not know is looked up at the target: for a target whose entries
    /// an earlier program may have made, without an index of them. Otherwise such a removal has nothing to do.
    func mustLookUp(_ removal: [UInt8]) -> Bool
}

extension StateModel {
    public func mustLookUp(_ removal: [UInt8]) -> Bool { false }
}

public enum Remainder: Sendable, Hashable {
    /// Nothing: the key is deleted at the target.
    case nothing
    /// A mark: the key stays with this content (soft delete).
    case marked([UInt8])
}

/// What a content is about, for the guards.
public enum GuardSubject: Sendable, Hashable {
    case address(IPAddress)
    case domain(String)
    /// Lower-case hexadecimal.
    case hash(String)
    case other
}

/// One write at the target.
public struct Operation: Sendable, Hashable {
    public enum Kind: Int, Sendable, Hashable, CaseIterable, CustomStringConvertible {
        case create
        case update
        case delete
        public var description: String {
            switch self {
            case .create: "create"
            case .update: "update"
            case .delete: "delete"
            }
        }
    }
    public var kind: Kind
    public var key: Digest128
    /// The target's id; empty for a create, and for a delete that must look the key up first.
    public var remoteID: String
    /// The content to write; for a delete the removal's contribution.
    public var content: [UInt8]
    public var digest: Digest128
    /// The content is that of a soft delete.
    public var isMark: Bool
    public var isRemoval: Bool { kind == .delete || isMark }
    /// A delete of something that may not be there at all: the sink looks the key up first.
    public var isBlind: Bool { kind == .delete && remoteID.isEmpty }
    /// Takes something away that was there: counts towards the ceiling of deletes.
    var takesAway: Bool { isRemoval && !remoteID.isEmpty }

    public init(
        kind: Kind, key: Digest128, remoteID: String, content: [UInt8], digest: Digest128, isMark: Bool = false
    ) {
        self.kind = kind
        self.key = key
        self.remoteID = remoteID
        self.content = content
        self.digest = digest
        self.isMark = isMark
    }
}

/// How one operation ended, as the sink found out.
public enum OperationResult: Sendable, Hashable {
    /// The target stands as wanted; its id.
    case applied(remoteID: String)
    /// The id is unknown at the target: an update becomes a create, a delete is done.
    case missing
    /// A removal that leaves the target as it is, for a reason that is no failure: what stands there is somebody else's.
    case kept(code: String, reason: String)
    /// The target will never take it.
    case refused(code: String, reason: String)
    /// This operation failed for a reason that may pass; tries are counted.
    case retry(after: Duration, code: String, reason: String)
    /// The target takes nothing now (down, rate limit, credentials, quota); tries are not counted.
    case unavailable(after: Duration, code: String, reason: String)
}

/// Operations of one kind for one call.
public struct OperationBatch: Sendable {
    public let id: UInt64
    public let kind: Operation.Kind
    public let operations: [Operation]

    public init(id: UInt64, kind: Operation.Kind, operations: [Operation]) {
        self.id = id
        self.kind = kind
        self.operations = operations
    }
}

/// A key as the target shows it: from reconciling, or after somebody changed it there.
public struct ObservedEntry: Sendable {
    public var key: Digest128
    /// Empty: the target does not have it (any more).
    public var remoteID: String
    /// Digest of the content in the connector's encoding; zero where it could not be told.
    public var digest: Digest128
    public init(key: Digest128, remoteID: String, digest: Digest128) {
        self.key = key
        self.remoteID = remoteID
        self.digest = digest
    }
}
