// SPDX-License-Identifier: Apache-2.0

import Base
import Testing

/// Archives made by Info-ZIP's `zip -P infected`: somebody else's idea of the format.
enum InfoZip {
    /// The five bytes of `alpha`, stored, with a data descriptor.
    static let stored =
        "UEsDBAoACQAAAHKGdV1qOeDQEQAAAAUAAABAAAAAOGVkM2Y2YWQ2ODViOTU5ZWFkNzAyMjUxOGUxYWY3NmNkODE2ZjhlOGVjN2Nj"
        + "ZGRhMWVkNDAxOGU4ZjIyMjNmOAXN3ab+Q441gScflq3bF5UAUEsHCGo54NARAAAABQAAAFBLAQIeAwoACQAAAHKGdV1qOeDQEQAA"
        + "AAUAAABAAAAAAAAAAAAAAACkgQAAAAA4ZWQzZjZhZDY4NWI5NTllYWQ3MDIyNTE4ZTFhZjc2Y2Q4MTZmOGU4ZWM3Y2NkZGExZWQ0"
        + "MDE4ZThmMjIyM2Y4UEsFBgAAAAABAAEAbgAAAH8AAAAAAA=="
    /// 200 lines, deflated, with a data descriptor.
    static let deflated =
        "UEsDBBQACQAIAHKGdV0dhqcgMgAAAPAKAABAAAAAZTlmZmNmMDkzZWY2YzliYTRjMmQ5YTFkZDNmZTI3MjE5OWI2YzMyN2Q3ODFk"
        + "M2MxN2U0ZjExYTY0ZDIyNmI4ZPJqzrqlav+Vg4+BrxRKc+pV8M3NQp8KjqUc9cjGrEVs/LFoctP0p+y7JIbeo21/gwF7UEsHCB2G"
        + "pyAyAAAA8AoAAFBLAQIeAxQACQAIAHKGdV0dhqcgMgAAAPAKAABAAAAAAAAAAAEAAACkgQAAAABlOWZmY2YwOTNlZjZjOWJhNGMy"
        + "ZDlhMWRkM2ZlMjcyMTk5YjZjMzI3ZDc4MWQzYzE3ZTRmMTFhNjRkMjI2YjhkUEsFBgAAAAABAAEAbgAAAKAAAAAAAA=="

    static let alpha = "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8"
    static let lines = "e9ffcf093ef6c9ba4c2d9a1dd3fe272199b6c327d781d3c17e4f11a64d226b8d"

    static func bytes(_ text: String) throws -> [UInt8] { try #require(Base64.decode(text)) }
}
