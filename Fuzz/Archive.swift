// SPDX-License-Identifier: Apache-2.0

internal import Archives
internal import Base
internal import Dispatch
internal import Hashing

/// An archive of any bytes gives a sample that has the SHA-256 and the size it should have, or an error; never more bytes than
/// are allowed. The input holds the archive behind 64 digits of the hash that is asked for.
@Sendable func fuzzArchive(_ input: UnsafeRawBufferPointer) {
    guard input.count > 64 else { return }
    let hash = String(decoding: input.prefix(64), as: UTF8.self)
    let archive = Array(input.dropFirst(64))
    let isDone = DispatchSemaphore(value: 0)
    Task {
        await readArchive(archive, hash)
        isDone.signal()
    }
    isDone.wait()
}

private func readArchive(_ bytes: [UInt8], _ hash: String) async {
    let limits = SampleArchive.Limits(contentBytes: 1 << 16, memoryBytes: 1 << 10)
    var rest = bytes[...]
    do {
        let archive = try await SampleArchive.receive(
            {
                guard !rest.isEmpty else { return nil }
                defer { rest = rest.dropFirst(97) }
                return Array(rest.prefix(97))
            }, limits: limits, folder: temporaryFolders)
        let content = try await archive.content(sha256: hash)
        let next = content.open()
        var digest = RunningSHA256()
        var count: Int64 = 0
        while let piece = try await next() {
            count += Int64(piece.count)
            piece.withUnsafeBytes { digest.update($0) }
        }
        check(count == content.length && count <= limits.contentBytes, "\(count) bytes for \(content.length)")
        check(Hex.encode(digest.finish()) == hash, "another content than asked for")
    } catch is ArchiveError {
        return
    } catch {
        check(false, "\(error)")
    }
}
