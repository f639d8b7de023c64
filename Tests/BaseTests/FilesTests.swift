// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Base

@Suite("Files") struct FilesTests {
    private let folder: String

    init() throws { folder = try #require(makeTemporaryFolder("files-test")) }

    private func file(_ content: [UInt8]) throws -> String {
        let path = folder + "/content"
        try Data(content).write(to: URL(fileURLWithPath: path))
        return path
    }

    @Test func `a file is read whole up to the limit`() throws {
        let content = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
        let path = try file(content)
        #expect(try readFile(path, atMost: content.count) == content)
        #expect(throws: FileReadError.tooLarge(limit: content.count - 1)) {
            try readFile(path, atMost: content.count - 1)
        }
    }

    @Test func `what is no readable file says why`() throws {
        #expect(throws: FileReadError.isFolder) { try readFile(folder, atMost: 10) }
        #expect(throws: FileReadError.system("No such file or directory")) {
            try readFile(folder + "/nothing", atMost: 10)
        }
    }

    @Test func `a folder's names come without its own and its parent's`() throws {
        #expect(fileNames(in: folder) == [])
        _ = try file([1])
        try FileManager.default.createDirectory(atPath: folder + "/inner", withIntermediateDirectories: false)
        #expect(Set(try #require(fileNames(in: folder))) == ["content", "inner"])
        #expect(fileNames(in: folder + "/nothing") == nil)
    }
}
