// SPDX-License-Identifier: Apache-2.0

import CPSL

/// Mozilla's Public Suffix List as built into libpsl: names under which anybody can register, such as `co.uk` or
/// `github.io`. Blocking one blocks everybody beneath it.
public enum PublicSuffixes {
    /// Whether the name itself is a public suffix, by the registries' and the private section; a top-level domain that
    /// the list does not know counts as one.
    public static func isPublicSuffix(_ name: DomainName) -> Bool { isPublicSuffix(name.ascii) }

    /// - Parameter name: lower-case ASCII without trailing dot, as in ``DomainName/ascii``; also a single label.
    public static func isPublicSuffix(_ name: String) -> Bool {
        // The built-in list is a constant of the library: read-only, hence free for every thread.
        guard let list = psl_builtin() else { return !name.contains(".") }
        return psl_is_public_suffix(list, name) == 1
    }

    /// The part that somebody registered, `example.co.uk` of `www.example.co.uk`; `nil` for a public suffix.
    public static func registrableDomain(of name: DomainName) -> String? {
        guard let list = psl_builtin() else { return nil }
        // The result points into the argument, so it is copied before that goes away.
        return name.ascii.withCString { text in psl_registrable_domain(list, text).map { String(cString: $0) } }
    }
}
