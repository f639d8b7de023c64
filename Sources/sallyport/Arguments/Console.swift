// SPDX-License-Identifier: Apache-2.0

import Base
import JSON

#if canImport(Glibc)
    import Glibc
#endif

/// Standard output and standard error of a command.
enum Console {
    /// The answer of a command, as it is.
    static func write(_ text: String) { write(text, to: STDOUT_FILENO) }

    /// What went wrong, or progress.
    static func complain(_ text: String) { write(text, to: STDERR_FILENO) }

    /// One error, as a line or as JSON: `{"error":{"code":…,"message":…}}`, then what else tells it apart.
    ///
    /// - Parameter subject: what the error is of, as a member of the JSON and at the beginning of the line.
    static func complain(
        _ error: any ActionableError, of subject: (member: String, text: String)? = nil, isJSON: Bool
    ) {
        guard isJSON else {
            return complain("sallyport: \(subject.map { "\($0.text): " } ?? "")\(error.description)\n")
        }
        var members: JSONObject = ["code": .string(error.code.text), "message": .string(error.description)]
        if let subject { members[subject.member] = .string(subject.text) }
        let answer: JSONValue = ["error": .object(members)]
        complain(answer.text + "\n")
    }

    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Columns of the terminal; 80 where there is none.
    static var width: Int {
        var size = winsize()
        guard isTerminal, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if count < 0 && errno != EINTR && errno != EAGAIN {
                return  // a closed pipe: nobody is reading any more
            }
        }
    }
}
