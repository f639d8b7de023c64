// SPDX-License-Identifier: Apache-2.0

import Base
import JSON
import OpenCTI
import Settings

#if canImport(Glibc)
    import Glibc
#endif

/// Leaves bundles as files for OpenCTI's directory import, and deletes those that have lain there too long.
///
/// A file appears whole: it is written under another name first. Blocks, hence the thread of its own.
actor BundleDirectory {
    private let thread = DedicatedThread(name: "bundles")
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private let folder: String
    /// Days; 0 keeps everything.
    private let retention: Int
    private let file: BundleFile
    private let time: any TimeSource
    private var count = 0

    /// `nil` where it is turned off.
    init?(_ settings: ResolvedSettings, connector: ConnectorProfile, time: any TimeSource) throws {
        guard settings[BundleSettings.sendsToDirectory], let folder = settings[BundleSettings.directory]?.text else {
            return nil
        }
        self.folder = folder
        self.time = time
        retention = settings[BundleSettings.directoryRetention]
        file = BundleFile(connector: connector, validates: settings[BundleSettings.validates])
    }

    func write(_ bundle: JSONValue, _ envelope: BundleEnvelope) throws(BundleHandoverError) {
        removeExpired()
        count = (count + 1) % 1000
        let path = folder + "/" + file.name(at: time.now, count: count)
        let bytes = file.content("DIRECTORY_BUNDLE", bundle, envelope)
        guard let handle = fopen(path + ".tmp", "w") else { throw failure(path) }
        let isWritten = bytes.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, handle) } == bytes.count
        let isDurable = isWritten && fflush(handle) == 0 && fsync(fileno(handle)) == 0
        let error = isDurable ? nil : failure(path)
        fclose(handle)
        if let error {
            unlink(path + ".tmp")
            throw error
        }
        guard rename(path + ".tmp", path) == 0 else { throw failure(path) }
    }

    private func failure(_ path: String) -> BundleHandoverError {
        .file(path: path, reason: String(cString: strerror(errno)))
    }

    private func removeExpired() {
        guard retention > 0, let names = fileNames(in: folder) else { return }
        let limit = time.now.milliseconds / 1000 - Int64(retention) * 86_400
        for name in names where name.hasSuffix(".json") {
            var info = stat()
            let path = folder + "/" + name
            if stat(path, &info) == 0, Int64(info.st_mtim.tv_sec) < limit { unlink(path) }
        }
    }
}
