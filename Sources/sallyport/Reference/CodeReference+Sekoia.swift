// SPDX-License-Identifier: Apache-2.0

extension CodeReference {
    static let sekoia = Area(
        title: "The event stream and Sekoia.io",
        introduction: "While the destination takes nothing, reading pauses; nothing is lost, and it goes on by itself.",
        codes: [
            .init(
                "event.invalid", "A line of the stream is no JSON object. It was put aside and its neighbours went on.",
                "Look at it with `sallyport dlq show`; it can only be discarded."),
            .init(
                "event.too_long", "An event is longer than the destination takes, or no event at all.",
                "Look at its begin with `sallyport dlq show`; another destination may take it."),
            .init(
                "relay.closed", "The destination refuses us (401, 403, 404). Everything waits.",
                "Check the key and the URL."),
            .init(
                "relay.refused_all", "The destination refuses every event, each alone. Everything waits.",
                "Check the key and the URL; look at the destination's own log."),
            .init(
                "relay.unavailable", "The destination can't be reached, is in trouble or asks to wait.",
                "Look at the reason; it is tried again without end."),
            .init("relay.cancelled", "The program was stopped while a batch was on its way.", ""),
            .init("sekoia.configuration", "A setting of Sekoia.io is missing or no URL.", "Correct the named setting."),
            .init("sekoia.refused", "Sekoia.io refuses what was sent.", "Look at the reason."),
            .init("sekoia.closed", "Sekoia.io refuses the key or does not know the address.", "Check both."),
            .init("sekoia.rate_limit", "Sekoia.io asks to wait.", ""),
            .init("sekoia.unavailable", "Sekoia.io is in trouble.", "Wait; the call is repeated."),
        ])

    static let symphony = Area(
        title: "Sekoia's platform",
        introduction: "What the platform that started the program says and wants.",
        codes: [
            .init(
                "symphony.parameter", "A parameter of the platform can't be read.",
                "Give it as JSON, or as JSON in base64."),
            .init("symphony.refused", "The platform refuses a call.", "Check the token and the callback URL."),
            .init("symphony.unavailable", "The platform can't be reached.", "Wait; the call is repeated."),
            .init(
                "symphony.data", "The data path can't be read or written.",
                "Check the volume, or the bucket and its credentials."),
        ])
}
