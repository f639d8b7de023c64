// SPDX-License-Identifier: Apache-2.0

import Base
import Glibc
import JSON
import OpenCTI
import TestKit
import Testing

@testable import ConnectorKit

@Suite("Bundles in a directory") struct BundleDirectoryTests {
    private static let day: Int64 = 86_400

    /// Writes one bundle beside files of the ages given.
    ///
    /// - Returns: what lies there then, the new bundle as `bundle`.
    private func files(
        besides ages: [(name: String, days: Int64)], _ changes: [String: String]
    ) async throws -> [String] {
        let folder = try #require(makeTemporaryFolder("bundle-directory"))
        defer {
            for name in fileNames(in: folder) ?? [] { unlink(folder + "/" + name) }
            rmdir(folder)
        }
        let time = TestTime()
        for (name, days) in ages {
            let path = folder + "/" + name
            try #require(writeFile(path))
            let stamp = timeval(tv_sec: Int(time.now.milliseconds / 1000 - days * Self.day), tv_usec: 0)
            #expect(utimes(path, [stamp, stamp]) == 0)
        }
        let environment = ["CONNECTOR_SEND_TO_DIRECTORY": "true", "CONNECTOR_SEND_TO_DIRECTORY_PATH": folder]
        let profile = ConnectorProfile(id: "9b2f6c1e", name: "A Connector", kind: .externalImport, scope: [])
        let directory = try #require(
            try BundleDirectory(
                ServiceRig.settings(environment.merging(changes) { $1 }), connector: profile, time: time))
        try await directory.write(["type": "bundle"], BundleEnvelope())
        return (fileNames(in: folder) ?? []).map { $0.hasPrefix("a_connector-") ? "bundle" : $0 }.sorted()
    }

    private func writeFile(_ path: String) -> Bool {
        guard let file = fopen(path, "w") else { return false }
        return fclose(file) == 0
    }

    // covers: key:CONNECTOR_SEND_TO_DIRECTORY_RETENTION, key:CONNECTOR_SEND_TO_DIRECTORY_PATH
    @Test(
        arguments: [
            (nil, ["bundle", "note.txt", "six.json"]), ("9", ["bundle", "eight.json", "note.txt", "six.json"]),
            ("5", ["bundle", "note.txt"]), ("0", ["bundle", "eight.json", "note.txt", "six.json"]),
        ] as [(String?, [String])])
    func `lie there for as many days as wanted`(_ retention: String?, _ expected: [String]) async throws {
        let found = try await files(
            besides: [("six.json", 6), ("eight.json", 8), ("note.txt", 800)],
            retention.map { ["CONNECTOR_SEND_TO_DIRECTORY_RETENTION": $0] } ?? [:])
        #expect(found == expected)
    }
}
