// SPDX-License-Identifier: Apache-2.0

extension CodeReference {
    static let harfangLab = Area(
        title: "HarfangLab",
        introduction: "While the console takes nothing, reading pauses; nothing is lost, and it goes on by itself.",
        codes: [
            .init("harfanglab.already_exists", "The list holds the value in another spelling that was not found."),
            .init(
                "harfanglab.configuration", "A setting from which no request can be built.",
                "Correct the URL or the token."),
            .init("harfanglab.content", "The ledger holds a content that this version cannot read."),
            .init(
                "harfanglab.content_refused",
                "The console does not take a rule's text; its own code stands in the reason.",
                "Correct the rule in OpenCTI."),
            .init(
                "harfanglab.event", "A security event or threat without id or time.",
                "Look at it with `sallyport dlq show`."),
            .init(
                "harfanglab.forbidden", "The token's user may not do this (403).",
                "Give the user the rights to read and write threat intelligence, or to read security events."),
            .init(
                "harfanglab.malformed", "The answer is not the console's.",
                "Check the URL and the proxy in front of it."),
            .init("harfanglab.not_found", "The console does not know what was asked for (404)."),
            .init("harfanglab.rate_limit", "The console asks for fewer requests (429)."),
            .init(
                "harfanglab.redirected", "The console redirects, which was not followed.",
                "Configure the console's own URL."),
            .init(
                "harfanglab.refused", "The console refuses this request for good (4xx).",
                "Read the reason; correct the indicator in OpenCTI."),
            .init("harfanglab.unauthorized", "The console refuses the token (401).", "Make a new API token."),
            .init("harfanglab.unavailable", "The console answered 5xx: the call is repeated."),
            .init(
                "harfanglab.window", "More than 10,000 events bear one time, and the console shows no more of them.",
                "Look at that moment in the console."),
            .init(
                "empty_status", "The console answered a rule with an empty list: it parsed nothing.",
                "Correct the rule in OpenCTI."),
            .init("rule.empty", "A Sigma or YARA indicator without a rule in it.", "Correct it in OpenCTI."),
            .init("rule.include", "A YARA rule that includes a file.", "Write the included rules into it."),
            .init(
                "rule.missing_field", "A Sigma rule without title, logsource, detection or condition.",
                "Complete it in OpenCTI."),
            .init("rule.name", "A rule without a name.", "Name the indicator in OpenCTI."),
            .init(
                "rule.syntax", "A rule that does not compile; the reason quotes the line.",
                "Correct it in OpenCTI; `sallyport rule` checks it beforehand."),
            .init("rule.too_large", "A rule beyond the compiler's bounds of size, time or memory.", "Split it."),
            .init("ignored_pattern_type", "A pattern that is neither STIX, Sigma nor YARA."),
            .init("ignored_type", "An element of the stream from which no rule follows."),
            .init("indicator_gone", "A link to an indicator that the platform no longer has."),
            .init(
                "kept_owned_by_other", "A removal that left a rule alone, because its comment names another indicator."),
            .init(
                "pattern_unparsable", "A STIX pattern that leaves the grammar.", "Correct the indicator in OpenCTI."),
            .init("still_in_pattern", "An observable was unlinked whose value the indicator still names."),
            .init("unsupported_observable", "A linked observable that no rule can look for."),
            .init(
                "bundle.send", "A bundle could not be sent for a reason nobody expected; it is sent again."),
            .init("engine.state", "A target that keeps no state was given some; nothing was sent."),
        ])
}
