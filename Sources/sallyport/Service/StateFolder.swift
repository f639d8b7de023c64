// SPDX-License-Identifier: Apache-2.0

import CLinux
import Settings
import Storage

#if canImport(Glibc)
    import Glibc
#endif

/// Where the state of an installation lives.
struct StateFolder: Sendable {
    let path: String

    init(_ settings: ResolvedSettings) { path = settings[StateSettings.folder].text }

    var file: String { path + "/" + SQLiteStore.defaultFileName }

    var exists: Bool { access(file, F_OK) == 0 }

    /// Whether the folder is on a file system that ends with the container or the machine's power.
    var isEphemeral: Bool {
        // The folder may not be there yet: the next one up that is tells.
        var folder = path
        var kind = sp_file_system_kind(folder)
        while kind < 0 {
            guard let slash = folder.lastIndex(of: "/"), slash != folder.startIndex else { return false }
            folder = String(folder[..<slash])
            kind = sp_file_system_kind(folder)
        }
        // OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC and RAMFS_MAGIC.
        return [0x794C_7630, 0x0102_1994, 0x8584_58F6].contains(kind)
    }
}
