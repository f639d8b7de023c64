// SPDX-License-Identifier: Apache-2.0

import Base
import CYARA
import Synchronization

/// YARA rules as libyara compiles them.
///
/// Compiling is the only check that finds what a sensor would refuse: undefined strings, duplicate rules, modules that do
/// not exist, loops that never end being written. Nothing is ever scanned.
public struct YARARules: Sendable, Hashable {
    /// The names of the rules, in the order of the text.
    public let names: [String]

    /// The bounds of one compilation. libyara itself bounds strings, loops and regular expressions; what it can't bound
    /// is left to ``RuleCheckRunner``, which compiles in a process with limits of its own.
    public struct Limits: Sendable, Hashable {
        /// Bytes of source. A rule file of more is a collection, not an indicator.
        public var maxBytes = 1 << 20
        public init() {}
    }

    /// Compiles the text; blocks its thread for as long as that takes.
    ///
    /// - Throws: the first complaint, with its line. An `include` is refused whatever it names.
    public init(compiling source: String, limits: Limits = Limits()) throws(RuleProblem) {
        guard source.utf8.count <= limits.maxBytes else {
            throw RuleProblem(
                .tooLarge, language: "YARA", "it has \(source.utf8.count) bytes, the limit is \(limits.maxBytes)")
        }
        guard !source.utf8.contains(0) else {
            throw RuleProblem(.syntax, language: "YARA", "it contains a null character")
        }
        try Self.library.get()
        var compiler: UnsafeMutablePointer<YR_COMPILER>?
        guard yr_compiler_create(&compiler) == ERROR_SUCCESS, let compiler else { throw Self.outOfMemory }
        defer { yr_compiler_destroy(compiler) }
        sp_yara_refuse_includes(compiler)
        var complaint: Complaint?
        let errors = withUnsafeMutablePointer(to: &complaint) { pointer in
            yr_compiler_set_callback(compiler, Self.note, pointer)
            return yr_compiler_add_string(compiler, source, nil)
        }
        if errors > 0 || complaint != nil { throw Self.problem(complaint) }
        var rules: UnsafeMutablePointer<YR_RULES>?
        guard yr_compiler_get_rules(compiler, &rules) == ERROR_SUCCESS, let rules else { throw Self.outOfMemory }
        defer { yr_rules_destroy(rules) }
        var names: [String] = []
        while let rule = sp_yara_rule(rules, UInt32(names.count)), let name = sp_yara_name(rule) {
            names.append(String(cString: name))
        }
        guard !names.isEmpty else { throw RuleProblem(.empty, language: "YARA", "it holds no rule") }
        self.names = names
    }

    private struct Complaint {
        let line: Int
        let message: String
    }

    private static let outOfMemory = RuleProblem(.tooLarge, language: "YARA", "libyara is out of memory")

    private static func problem(_ complaint: Complaint?) -> RuleProblem {
        guard let complaint else {
            return RuleProblem(.syntax, language: "YARA", "libyara refuses it without a reason")
        }
        let isInclude = complaint.message.contains("include")
        return RuleProblem(
            isInclude ? .include : .syntax, language: "YARA", line: complaint.line,
            isInclude ? "includes are not allowed" : complaint.message)
    }

    // The first error counts; warnings do not.
    private static let note: YR_COMPILER_CALLBACK_FUNC = { level, _, line, _, message, context in
        guard level == YARA_ERROR_LEVEL_ERROR, let context, let message else { return }
        let complaint = context.assumingMemoryBound(to: Complaint?.self)
        guard complaint.pointee == nil else { return }
        complaint.pointee = Complaint(line: Int(line), message: String(cString: message))
    }

    // Reference-counted by libyara and never given back: the process compiles until it ends.
    private static let library: Result<Void, RuleProblem> =
        yr_initialize() == ERROR_SUCCESS
        ? .success(()) : .failure(RuleProblem(.tooLarge, language: "YARA", "libyara can't be started"))
}
