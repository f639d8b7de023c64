// SPDX-License-Identifier: Apache-2.0

public import Base
public import JSON

/// The state a stream connector keeps on the platform, in the original's form:
/// `{"start_from": "<ms>-<seq>", "recover_until": "<iso date>" | false}`.
///
/// Written so that the original reads it again, and read whatever version of it wrote: the key names of 5.0–5.3
/// (`connectorLastEventId`, `connectorStartTime`) are converted once, because newer versions keep them beside the new
/// ones and then prefer them for ever. Other members stay as they are. Source: OpenCTI protocol, 3.
public struct ConnectorState: Sendable, Hashable {
    /// The event after which reading goes on.
    public var startFrom: EventID
    /// Until when the platform replays its database; the text as it was found or configured. `nil` for no recovery.
    public var recoverUntil: String?
    /// Members that are not ours, in order.
    private var others: JSONObject

    public init(startFrom: EventID, recoverUntil: String?) {
        self.startFrom = startFrom
        self.recoverUntil = recoverUntil
        others = [:]
    }

    /// The state of a first start.
    ///
    /// - Parameters:
    ///   - startTimestamp: `CONNECTOR_LIVE_STREAM_START_TIMESTAMP`, epoch milliseconds; `nil` for everything there is.
    ///   - recoverDate: `CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE`; `nil` means now; a spelling of "no" means no recovery.
    public static func initial(startTimestamp: String?, recoverDate: String?, now: Instant) -> ConnectorState {
        ConnectorState(
            startFrom: startTimestamp.flatMap { EventID(position: $0) } ?? .beginning,
            recoverUntil: recoverDate.map { disabled.contains($0) ? nil : $0 } ?? now.secondsDescription)
    }

    /// The spellings of “no recovery” that the original knows.
    public static func disablesRecovery(_ text: String) -> Bool { disabled.contains(text) }

    private static let disabled: Set<String> = ["no", "No", "none", "None", "false", "False"]

    /// `nil` for no state, and for one without a position that can be read: then the connector starts afresh.
    public init?(_ object: JSONObject?) {
        guard let object else { return nil }
        guard let position = object["start_from"]?.string ?? object["connectorLastEventId"]?.string else { return nil }
        // "-" is how 5.0 wrote "from the beginning".
        guard let start = position == "-" ? .beginning : EventID(position: position) else { return nil }
        startFrom = start
        let recover = object["recover_until"] ?? object["connectorStartTime"]
        recoverUntil = recover?.string.flatMap { Self.disabled.contains($0) || $0.isEmpty ? nil : $0 }
        others = JSONObject(object.filter { !Self.known.contains($0.key) })
    }

    private static let known: Set<String> = [
        "start_from", "recover_until", "connectorLastEventId", "connectorStartTime",
    ]

    public var json: JSONObject {
        var object: JSONObject = [
            "start_from": .string(startFrom.description),
            "recover_until": recoverUntil.map(JSONValue.string) ?? .bool(false),
        ]
        for (key, value) in others { object.append(key, value) }
        return object
    }

    /// This position, with the members that another state has and that are not ours.
    public func keeping(othersOf state: ConnectorState?) -> ConnectorState {
        var kept = self
        if let state { kept.others = state.others }
        return kept
    }

    /// Where the live stream begins with this state.
    public var streamStart: StreamStart { StreamStart(position: startFrom, recoverUntil: recoverUntil) }

    /// The object in a state text: empty, `null`, invalid and other JSON mean no state.
    static func object(in text: String?) -> JSONObject? {
        guard let text, !text.isEmpty else { return nil }
        return (try? JSONValue(parsing: text))?.object
    }
}
