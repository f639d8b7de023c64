// SPDX-License-Identifier: Apache-2.0

import JSON

/// Whatever the bytes, reading ends in a value or an error with a place in the text; a value survives writing and reading.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let text = UnsafeRawBufferPointer(start: bytes, count: count)
    guard let value = try? JSONValue(parsing: text) else { return 0 }
    guard let again = try? JSONValue(parsing: value.bytes), again.bytes == value.bytes else {
        preconditionFailure("a value did not survive being written and read")
    }
    return 0
}
