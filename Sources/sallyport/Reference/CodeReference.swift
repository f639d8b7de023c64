// SPDX-License-Identifier: Apache-2.0

/// Every stable name of a failure or of a reason: what logs have as `error.code`, and the history, dead letters and
/// metrics as reason. A test compares the list with the sources.
struct CodeReference: Sendable {
    let code: String
    /// What it says, a sentence.
    let meaning: String
    /// What to do, a sentence; empty where nothing is to be done.
    let remedy: String

    init(_ code: String, _ meaning: String, _ remedy: String = "") {
        self.code = code
        self.meaning = meaning
        self.remedy = remedy
    }

    static func entry(for code: String) -> CodeReference? {
        areas.lazy.flatMap(\.codes).first { $0.code == code }
    }

    /// `docs/reference/codes.md`
    static var markdown: String {
        var text = """
            # Codes

            Generated from the declarations of the program; do not edit.

            A code names one kind of failure or reason and never changes its meaning. Logs have it as `error.code`; the history \
            (`sallyport explain VALUE`) and dead letters (`sallyport dlq list`) begin their reason with it.


            """
        for area in areas {
            text +=
                "## \(area.title)\n\n\(area.introduction)\n\n| code | what it says | what to do |\n| --- | --- | --- |\n"
            for code in area.codes {
                text += "| `\(code.code)` | \(code.meaning) | \(code.remedy.isEmpty ? "–" : code.remedy) |\n"
            }
            text += "\n"
        }
        return String(text.dropLast())
    }

    struct Area: Sendable {
        let title: String
        let introduction: String
        let codes: [CodeReference]
    }

    static let areas: [Area] = [
        broker, enrichment,
        crowdSec, harfangLab,
        falcon, actions, openCTI, sekoia, symphony, stream, events, guards, http, state, process, reasons,
        vmray,
    ]

    private static let falcon = Area(
        title: "CrowdStrike Falcon",
        introduction: "While Falcon takes nothing, reading pauses; nothing is lost, and it goes on by itself.",
        codes: [
            .init(
                "falcon.bad_request",
                "Falcon refuses a request or one indicator of it (400). The batch was parted until it stood alone.",
                "Look at the message in the dead letter; correct the indicator, then `sallyport dlq retry ID`."),
            .init(
                "falcon.configuration", "A setting from which no request can be built.",
                "Correct the setting that the message names."),
            .init("falcon.conflict", "What was asked for is already so, or being done (409)."),
            .init(
                "falcon.content", "The ledger holds a content that this version cannot read.",
                "Reset the connector's state in OpenCTI: everything is read once more."),
            .init(
                "falcon.credentials", "The token endpoint refuses client id and secret, or this address.",
                "Check client id, secret, the base URL's cloud, and the API client's IP allow-list."),
            .init("falcon.filter", "A value that no filter can hold was not sent.", "Correct the indicator's value."),
            .init(
                "falcon.malformed", "The answer is not Falcon's.",
                "Check the base URL and the proxy in front; the call is repeated."),
            .init("falcon.not_found", "Falcon does not know what was asked for (404)."),
            .init(
                "falcon.quota",
                "The tenant, or our ceiling of indicators, is full: creating waits, updates and deletes go on.",
                "Delete expired indicators, or raise CROWDSTRIKE_IOC_CEILING if the tenant has room."),
            .init(
                "falcon.rate_limit", "The tenant's request budget is spent, by us or by others.",
                "Wait; or lower CROWDSTRIKE_REQUESTS_PER_MINUTE so that others find room."),
            .init(
                "falcon.redirected", "Falcon redirects to another host, which was not followed.",
                "Configure the base URL of the tenant's own cloud."),
            .init(
                "falcon.scope", "The API client lacks the scope that the message names (403).",
                "Add it under API clients and keys; if it is there, check the IP allow-list and the cloud."),
            .init(
                "falcon.too_large", "The request was too large or took too long (413, 414, 504): it is sent in parts."),
            .init(
                "falcon.unauthorized", "Falcon refuses a fresh token (401).",
                "Check that the API client is enabled, and this machine's clock."),
            .init("falcon.unavailable", "Falcon answered 5xx: the call is repeated."),
            .init(
                "foreign", "Falcon holds this value already, and somebody else created it.",
                "Leave it, or take it over with CROWDSTRIKE_ADOPT=any or CROWDSTRIKE_OWNED_CLIENT_IDS."),
            .init(
                "falcon.action", "The tenant does not list the configured action for a type.", "Choose another action."),
            .init(
                "falcon.mobile", "Falcon for Mobile is switched on, and the tenant takes neither android nor ios.",
                "Switch CROWDSTRIKE_FALCON_FOR_MOBILE_ACTIVE off."),
        ])

    private static let actions = Area(
        title: "Response actions", introduction: "What `sallyport action` says when nothing was done.",
        codes: [
            .init("action.unknown", "There is no such action.", "`sallyport action --help` lists them."),
            .init(
                "action.arguments", "The arguments do not fit the action's schema; nothing was sent.",
                "Correct what the message names; `sallyport action NAME --help` lists the arguments."),
            .init(
                "action.input", "A file that an argument names cannot be used; nothing was sent.",
                "Check its path: on Sekoia's platform it is relative to the data path."),
            .init(
                "action.outcome_unknown",
                "No answer came to a call that must not be done twice: it may have been done.",
                "Look in Falcon before you repeat it."),
        ])

    private static let openCTI = Area(
        title: "OpenCTI", introduction: "Answers of the platform's GraphQL endpoint.",
        codes: [
            .init(
                "opencti.unauthorized", "The platform does not accept the token.",
                "Check OPENCTI_TOKEN: it may be wrong, expired, or its user disabled."),
            .init(
                "opencti.forbidden", "The token's user lacks the capability that the message names.",
                "Add it to one of the user's roles."),
            .init(
                "opencti.capability", "What `check` says of the user's capabilities.", "Add what is missing to a role."),
            .init(
                "opencti.version",
                "The platform does not understand a call: its version differs from the one it reported.",
                "Report it with the platform's version."),
            .init(
                "opencti.refused", "A business rule of the platform refuses the call.", "Read the platform's message."),
            .init("opencti.gone", "What the call is about was deleted meanwhile: nothing is left to do."),
            .init(
                "opencti.missing_reference", "An object that the call refers to does not exist (yet): it is repeated."),
            .init("opencti.lock", "Somebody else works on the same object: the call is repeated."),
            .init(
                "opencti.platform", "The platform or its database failed: the call is repeated.", "Look at its logs."),
            .init("opencti.rate_limit", "A proxy or the platform limits this address's requests.", "Wait."),
            .init(
                "opencti.status", "A status that the platform itself never answers for GraphQL.",
                "Check the proxy or ingress in front of it."),
            .init(
                "opencti.web_page", "A web page instead of an answer.",
                "Check the base path in OPENCTI_URL and the proxy in front."),
            .init("opencti.malformed", "The answer cannot be used.", "Check that OPENCTI_URL is an OpenCTI platform."),
            .init(
                "opencti.configuration", "A setting from which no request can be built.",
                "Correct the setting that the message names."),
        ])

    private static let stream = Area(
        title: "The live stream",
        introduction: "The stream is tried again in any case, slowly where only a person can mend it.",
        codes: [
            .init(
                "opencti.stream_unauthorized", "The platform refuses the stream (401): token, right or id.",
                "Check the token, the capability TAXIIAPI, the stream's id and its members."),
            .init(
                "opencti.stream_unknown", "The platform knows no live stream of this id.",
                "Copy the id from Data sharing › Live streams."),
            .init(
                "opencti.stream_markings", "The stream's filter needs markings that the user may not see.",
                "Give the user those markings."),
            .init(
                "opencti.stream_stopped", "Somebody stopped the stream (410).", "Start it; reading goes on by itself."),
            .init("opencti.stream", "What `check` says of the live stream.", "Follow its message."),
            .init(
                "opencti.stream_filter", "What `check` says of the stream's filters.",
                "Entity type = Indicator, Pattern type = stix, Revoked = No."),
            .init(
                "opencti.stream_web_page", "A web page instead of a stream.", "Check the base path in OPENCTI_URL."),
            .init(
                "opencti.stream_content_type", "Something that is neither a stream nor a web page.",
                "Check the URL and the proxy in front."),
            .init(
                "opencti.stream_not_found", "404, which the platform never says itself.",
                "Check the URL and the proxy in front."),
            .init(
                "opencti.stream_redirected", "The stream redirects; the token is not sent elsewhere.",
                "Give the final address in OPENCTI_URL."),
            .init(
                "opencti.stream_recovery_without_start", "The platform does not recover without a start position.",
                "Reset the connector's state in OpenCTI."),
            .init("opencti.stream_rate_limit", "Requests of this address are limited.", "Wait."),
            .init("opencti.stream_status", "Another status; it is tried again.", "Look at the platform's logs."),
        ])

    private static let events = Area(
        title: "Events that cannot be read",
        introduction: "Each becomes a dead letter, whole, and the stream goes on.",
        codes: [
            .init(
                "event.too_large", "An event beyond the limit of 16 MiB was not read.", "Look at the object in OpenCTI."
            ),
            .init("event.unreadable", "The event cannot be read.", "Report it with the dead letter's input."),
            .init("event.unknown", "An event of a name that this version does not know was passed over."),
            .init("opencti.event", "The event lacks what an indicator must have.", "Look at the object in OpenCTI."),
            .init("opencti.patch", "The event's reverse patch does not fit its object."),
            .init(
                "stix.pattern_invalid", "The pattern is no STIX pattern.",
                "Correct it; `sallyport pattern` shows where."),
            .init("stix.pattern_too_large", "The pattern is too long or nested too deeply.", "Part the indicator."),
            .init("json.invalid", "Not JSON."),
            .init("json.too_deep", "JSON nested too deeply."),
            .init("json.too_large", "More JSON than is read at once."),
            .init("domain.invalid", "No domain name."),
        ])

    private static let guards = Area(
        title: "Guardrails", introduction: "What must never be blocked, whatever a feed says. Counted as vetoed.",
        codes: [
            .init("guard.loopback", "A loopback address.", "Take the indicator out of the feed."),
            .init("guard.private", "A private address.", "Take the indicator out of the feed."),
            .init("guard.link_local", "A link-local address.", "Take the indicator out of the feed."),
            .init("guard.multicast", "A multicast address.", "Take the indicator out of the feed."),
            .init("guard.unspecified", "The unspecified address.", "Take the indicator out of the feed."),
            .init("guard.public_resolver", "A public DNS resolver.", "Take the indicator out of the feed."),
            .init("guard.public_suffix", "A public suffix: everybody's names end in it.", "Name the whole domain."),
            .init("guard.empty_file", "The hash of the empty file.", "Take the indicator out of the feed."),
        ])

    private static let http = Area(
        title: "Connections", introduction: "Between this program and a remote one.",
        codes: [
            .init("http.dns", "A host's name does not resolve.", "Check the URL and the DNS of this machine."),
            .init("http.connect", "No connection.", "Check address, port and firewall."),
            .init(
                "http.tls", "The certificate or the handshake was refused.",
                "Name the CA in the connection's `ssl_verify`, or check the clock."),
            .init("http.connection_lost", "The connection broke: the call is repeated."),
            .init("http.timeout", "No answer in time, or no room in the request budget: the call is repeated."),
            .init("http.proxy", "The proxy refused.", "Check HTTPS_PROXY and NO_PROXY."),
            .init(
                "http.redirect_refused", "A redirect that would carry credentials elsewhere.",
                "Configure the final URL."),
            .init("http.redirects", "Redirects without end.", "Configure the final URL."),
            .init("http.unauthorized", "The credentials were refused.", "Check them."),
            .init("http.circuit_open", "The host failed too often; the next try waits."),
            .init("http.body_too_large", "An answer beyond the limit was not read."),
            .init("http.invalid_url", "No URL.", "Give it as https://host[:port][/path]."),
            .init("http.invalid_request", "A request that HTTP cannot carry.", "Check the configured headers."),
            .init("http.upload", "A request's body could not be read."),
            .init("http.cancelled", "The call was cancelled, at a stop for example."),
            .init("http_config.unreadable_file", "A certificate's file cannot be read.", "Check path and permissions."),
            .init("http_config.no_certificate", "A file holds no PEM certificate.", "Give a PEM file."),
            .init("http_config.no_private_key", "A file holds no PEM private key.", "Give a PEM file."),
            .init(
                "http_config.proxy", "The proxy's address cannot be used.",
                "Give it as http://[user:password@]host:port."),
            .init("http_config.library", "libcurl cannot be started.", "Check the installation."),
            .init(
                "http_server.address_in_use", "Another program listens at this port.",
                "Stop it, or set SALLYPORT_HTTP_LISTEN to another one."),
            .init("http_server.not_permitted", "The system forbids to listen there.", "Choose a port above 1023."),
            .init("http_server.invalid_address", "No address to listen at.", "Give 127.0.0.1, 0.0.0.0 or ::1."),
            .init("http_server.cannot_listen", "Listening failed.", "Check that this machine has the address."),
            .init("http_server.cannot_start", "The server's threads did not start.", "Check the limits of processes."),
            .init(
                "http_server.bad_certificate", "The listener's certificate, key and passphrase do not fit each other.",
                "Check them with `openssl x509` and `openssl pkey`."),
            .init(
                "http_server.no_tls", "The system's libmicrohttpd was built without TLS.",
                "Install Debian's, or let a proxy in front speak TLS."),
        ])

    private static let state = Area(
        title: "The state", introduction: "See [the state file](state.md).",
        codes: [
            .init("storage.full", "No space left: the same transaction is tried until there is.", "Free space."),
            .init("storage.busy", "Another process keeps the file locked.", "Look for an open sqlite3 or a backup."),
            .init(
                "storage.locked", "Another Sallyport uses this file.", "Stop it, or set another SALLYPORT_STATE_DIR."),
            .init("storage.open", "The file cannot be opened.", "Check SALLYPORT_STATE_DIR and the folder's owner."),
            .init(
                "storage.corrupt", "The file is damaged.",
                "Restore it, or move it away: the ledger is rebuilt from the target and one full recovery."),
            .init("storage.newer_schema", "A newer Sallyport wrote the file.", "Upgrade, or use another folder."),
            .init("storage.fenced", "Another node has taken over; this one stops writing."),
            .init("storage.failed", "SQLite failed.", "Look at the message and the disk."),
            .init("state.folder", "What `check` says of the state folder.", "Give it a volume."),
        ])

    private static let process = Area(
        title: "The process", introduction: "Settings, logs and the command line.",
        codes: [
            .init(
                "settings.invalid", "Settings are wrong; each has a line of its own.", "Correct what the lines name."),
            .init("connector.configuration", "Settings that fit each other but not the world.", "Correct them."),
            .init(
                "connector.incomplete", "A single run has ended, and not everything went well.",
                "Look at the log for samples that were not brought to their end; the next run tries them again."),
            .init("connector.restart", "A connector starts again: its state on the platform has changed, for example."),
            .init("usage", "The command line is wrong.", "`sallyport help COMMAND`."),
            .init("log.open", "The log file cannot be opened.", "Create its folder, or let this user write there."),
            .init("log.write", "The log file cannot be written: lines go to standard error.", "Free space."),
            .init("demo", "The demonstration failed.", "Read its message."),
            .init("subprocess.failed", "A program that the demonstration needs ended badly.", "Read its message."),
            .init("engine.key", "A mistake of this program.", "Report it."),
            .init("engine.no_result", "A target's answer was incomplete: it is asked again."),
            .init("act.parked", "Nobody can tell whether an action took place.", "Look at the target."),
            .init("act.refused", "The target refused an action before."),
            .init("act.unknown", "This flow's target takes no actions."),
            .init("record.refused", "The target refused a record.", "Look at its message."),
        ])

    private static let reasons = Area(
        title: "Reasons in the history", introduction: "Why an event had the effect it had.",
        codes: [
            .init("create", "Created at the target."), .init("update", "Changed at the target."),
            .init("delete", "Deleted at the target."),
            .init("mark", "Marked as deleted at the target (soft delete)."),
            .init("append", "Appended at the target."), .init("job", "Became durable work."),
            .init("unchanged", "The target already stood as wanted."),
            .init("marked", "It was marked already."), .init("absent", "The target does not have it."),
            .init("held", "Another live indicator wants the value."),
            .init("held_back", "The removal waits until the recovery ends."),
            .init("not_an_owner", "Others want the value."), .init("stale", "A later change is known."),
            .init("seen", "The recovery has shown it: not swept."),
            .init("not_an_indicator", "Another kind of object, such as a dependency."),
            .init("pattern_type", "A pattern in another language: YARA, Sigma, …"),
            .init("event", "An event from which nothing follows."),
            .init("no_value", "The pattern names no value."),
            .init(
                "no_platform", "OpenCTI names platforms, and Falcon takes the type on none of them.",
                "Check the indicator's platforms and CROWDSTRIKE_FALCON_FOR_MOBILE_ACTIVE."),
            .init("unsupported_type", "A type of observable that Falcon does not take: URL, SHA-1, e-mail …"),
            .init("pattern.negated", "Negated: not what is looked for."),
            .init("pattern.operator", "An operator that names no single value."),
            .init("pattern.path", "A property that no sensor looks for."),
            .init("pattern.not_text", "A value that is no text."),
            .init("pattern.address_range", "A range instead of a single address."),
            .init(
                "pattern.invalid_value", "The value cannot be what its property says.", "Correct the indicator's value."
            ),
        ])
}
