// SPDX-License-Identifier: Apache-2.0

/// The standard alphabet with padding (RFC 4648, 4), for `Authorization: Basic`.
func base64(_ bytes: some Sequence<UInt8>) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    var group = Array(bytes)[...]
    while !group.isEmpty {
        let three = group.prefix(3)
        let padded = Array(three) + [0, 0]
        let value = Int(padded[0]) << 16 | Int(padded[1]) << 8 | Int(padded[2])
        for position in 0..<4 {
            let isPadding = position > three.count
            text.append(isPadding ? UInt8(ascii: "=") : alphabet[value >> (18 - 6 * position) & 63])
        }
        group = group.dropFirst(3)
    }
    return String(decoding: text, as: UTF8.self)
}
