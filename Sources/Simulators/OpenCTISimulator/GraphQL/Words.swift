// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

/// Full-text search without regard to the case of ASCII letters.
enum Words {
    static func searchable(_ texts: String...) -> [UInt8] {
        var words: [UInt8] = []
        for text in texts {
            if !words.isEmpty { words.append(0x0A) }
            for byte in text.utf8 { words.append((0x41...0x5A).contains(byte) ? byte | 0x20 : byte) }
        }
        return words
    }

    static func contains(_ words: [UInt8], in text: [UInt8]) -> Bool {
        text.withUnsafeBytes { text in
            words.withUnsafeBytes { words in
                guard let wanted = words.baseAddress, var rest = text.baseAddress else { return words.isEmpty }
                var left = text.count
                while left >= words.count, let found = memchr(rest, Int32(words[0]), left - words.count + 1) {
                    if memcmp(found, wanted, words.count) == 0 { return true }
                    left -= UnsafeRawPointer(found) - rest + 1
                    rest = UnsafeRawPointer(found) + 1
                }
                return false
            }
        }
    }
}
