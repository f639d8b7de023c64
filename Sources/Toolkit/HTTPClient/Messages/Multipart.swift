// SPDX-License-Identifier: Apache-2.0

/// The wire form of `multipart/form-data` (RFC 7578): what stands before each part and after the last.
struct Multipart {
    let parts: [HTTPBody.Part]
    let boundary: String

    init(_ parts: [HTTPBody.Part], random: inout some RandomNumberGenerator) {
        self.parts = parts
        let digits = Array("0123456789abcdefghijklmnopqrstuv")
        boundary = "sallyport-" + String((0..<24).map { _ in digits[Int(random.next() >> 59)] })
    }

    var contentType: String { "multipart/form-data; boundary=\(boundary)" }

    /// The bytes between the part before and the content of part `index`.
    func opening(of index: Int) -> [UInt8] {
        let part = parts[index]
        var text = index == 0 ? "" : "\r\n"
        text += "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(Self.escaped(part.name))\""
        if let fileName = part.fileName { text += "; filename=\"\(Self.escaped(fileName))\"" }
        text += "\r\n"
        if let contentType = part.contentType { text += "Content-Type: \(Self.unbroken(contentType))\r\n" }
        return Array((text + "\r\n").utf8)
    }

    var closing: [UInt8] { Array("\r\n--\(boundary)--\r\n".utf8) }

    /// The size of the whole body; `nil` when a part does not know its own.
    var length: Int64? {
        var total = Int64(closing.count)
        for (index, part) in parts.enumerated() {
            total += Int64(opening(of: index).count)
            switch part.body {
            case .bytes(let bytes): total += Int64(bytes.count)
            case .stream(let length?, _): total += length
            case .stream(nil, _): return nil
            }
        }
        return total
    }

    // As browsers do (WHATWG HTML, "multipart form data"): only what would break the header is escaped.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "%22"
            case "\r": result += "%0D"
            case "\n": result += "%0A"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func unbroken(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }))
    }
}
