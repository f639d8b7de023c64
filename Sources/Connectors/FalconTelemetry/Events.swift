// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import Falcon
import Hashing
import Synchronization
import Telemetry

/// What is worth telling: one method a thing, which writes the line and moves the counter, so that they can't drift.
final class Events: Sendable {
    private let log: Log
    private let flow: String
    private let intakeKey: String
    private let collected: Counter
    private let vertices: Counter
    private let forwarded: Counter
    private let discarded: Counter
    private let lags: Family<Gauge>
    private let duration: Histogram
    private let invalid: Counter
    private let repeats: Counter
    private let jumps: Counter
    private let gaps: Counter
    private let late: Counter
    private let tooOld: Counter
    private let connections: Counter
    private let prolongings: Family<Counter>
    private let listings: Family<Counter>
    private let retried: Counter
    private let possibleRepeats: Counter
    private let deadEnds: Counter
    private let time: any TimeSource

    /// - Parameter key: the intake key; its label is the first 8 hex digits of its SHA-256.
    init(log: Log, metrics: Metrics, flow: String, key: Secret, time: any TimeSource) {
        self.log = log
        self.flow = flow
        self.time = time
        let intakeKey = key.isEmpty ? "" : String(Hex.encode(SHA256.digest(key.reveal())).prefix(8))
        self.intakeKey = intakeKey
        // The original's metrics: name, help and labels as they were. Source: Sekoia.io module, 1.7.
        func old(_ name: String, _ help: String) -> Counter {
            metrics.counter("symphony_module_\(name)", help, labels: ["intake_key"], hasCreated: true).with(intakeKey)
        }
        collected = old("crowdstrike_collected_detections_total", "Number of collected detections")
        vertices = old("crowdstrike_collected_verticles_total", "Number of collected verticles")
        forwarded = old("common_forwarded_events_total", "Number of events forwarded to SEKOIA.IO")
        discarded = old("common_discarded_events_total", "Number of events discarded from the collect")
        lags = metrics.gauge(
            "symphony_module_common_events_lags", "The delay, in seconds, from the date of the last event",
            labels: ["intake_key", "stream"])
        duration = metrics.histogram(
            "symphony_module_common_forward_events_duration", "Duration to collect and forward events",
            labels: ["intake_key"], buckets: Histogram.latencyBuckets
        ).with(intakeKey)
        func own(_ name: String, _ help: String) -> Counter {
            metrics.counter("sallyport_\(name)", help, labels: ["flow"]).with(flow)
        }
        invalid = own("stream_invalid_lines_total", "Lines that are no event")
        repeats = own("stream_repeated_events_total", "Events that came again and were left out")
        jumps = own("stream_offset_jumps_total", "Events whose offset does not follow the last one's")
        gaps = own("stream_gaps_total", "Connections to feeds that did not go on where the last one ended")
        late = own("stream_late_events_total", "Events that came behind a later one, and were sent all the same")
        tooOld = own("stream_old_events_total", "Events before the configured start")
        connections = own("stream_connections_total", "Connections made to feeds")
        prolongings = metrics.counter(
            "sallyport_stream_refreshes_total", "Prolongings of a feed's session", labels: ["flow", "outcome"])
        listings = metrics.counter(
            "sallyport_stream_listings_total", "Listings of the tenant's feeds", labels: ["flow", "outcome"])
        retried = own("relay_retries_total", "Batches sent again")
        possibleRepeats = own(
            "relay_possible_repeats_total", "Events sent again although they may have been taken the first time")
        deadEnds = own("vertex_walks_given_up_total", "Walks that ended without vertices for good")
    }

    // MARK: Reading

    func read(_ counts: LineBatcher.Counts, since last: LineBatcher.Counts, root: String) {
        collected.add(counts.lines - last.lines)
        repeats.add(counts.repeats - last.repeats)
        jumps.add(counts.jumps - last.jumps)
        late.add(counts.late - last.late)
        tooOld.add(counts.tooOld - last.tooOld)
        let fresh = counts.invalid - last.invalid
        guard fresh > 0 else { return }
        invalid.add(fresh)
        log.warning(
            "Lines of the stream are no events; they are put aside", .field("count", fresh), .field("stream", root))
    }

    func listed(_ count: Int, slot: Int) {
        listings.with(flow, count == 0 ? "empty" : "ok").add()
        log.info("Asked for the tenant's feeds", .field("feeds", count), .field("slot", slot))
    }

    func notListed(_ error: FalconError, _ wait: Duration) {
        listings.with(flow, "failed").add()
        if case .rateLimited = error {
            log.warning(
                "The connector was rate-limited, waiting before retrying", .field("wait", wait), .cause(error))
        } else {
            log.error("Failed to fetch and forward events", .field("wait", wait), .cause(error))
        }
    }

    func connected(_ root: String, _ start: FeedStart) {
        connections.add()
        log.info("Reading a feed", .field("stream", root), .field("from", "\(start)"))
    }

    func disconnected(_ root: String, _ end: FeedEnd) {
        guard let error = end.error else {
            log.info("A feed has ended and is opened again", .field("stream", root), .field("lasted", end.lasted))
            return
        }
        log.warning(
            "A feed broke off and is opened again", .field("stream", root), .field("lasted", end.lasted), .cause(error))
    }

    func paused(_ root: String) {
        log.warning(
            "The target takes nothing: the feed was closed, and is opened again at its offset once something is taken",
            .field("stream", root))
    }

    func gap(_ root: String, _ gap: LineBatcher.Gap) {
        gaps.add()
        log.warning(
            "The stream does not go on where it ended: the tenant may no longer hold what lies between",
            .field("stream", root), .field("offset.last", gap.last), .field("offset.first", gap.first))
    }

    func prolonged(_ root: String) {
        prolongings.with(flow, "ok").add()
        log.debug("A feed's session was prolonged", .field("stream", root))
    }

    func notProlonged(_ root: String, _ error: FalconError, _ tries: Int) {
        prolongings.with(flow, "failed").add()
        log.warning(
            "Failed to refresh the event stream", .field("stream", root), .field("tries", tries), .cause(error))
    }

    // MARK: Delivering

    func delivered(_ batch: RelayBatch, refused: Int, in seconds: Duration) {
        forwarded.add(batch.count - refused)
        discarded.add(refused)
        duration.observe(seconds)
        if let newest = batch.newest, !batch.partition.isEmpty {
            lags.with(intakeKey, batch.partition).set(newest.duration(to: time.now).inSeconds)
        }
    }

    func retry(_ count: Int, mayRepeat: Bool, reason: String, wait: Duration) {
        retried.add()
        if mayRepeat { possibleRepeats.add(count) }
        log.warning(
            "A batch was not taken and is sent again", .field("events", count), .field("reason", reason),
            .field("wait", wait))
    }

    func refused(_ count: Int, status: Int) {
        log.error(
            "Events were refused and put aside; see `sallyport dlq`", .field("count", count),
            .field("http.status", status))
    }

    // MARK: Vertices

    func collectedVertices(_ count: Int) { vertices.add(count) }

    func noEdges(_ graphID: String, _ type: String, _ error: FalconError) {
        log.warning(
            "Failed to collect verticles for an edge type", .field("graph.id", graphID), .field("edge.type", type),
            .cause(error))
    }

    func cannotWalk(_ error: FalconError, until wait: Duration) {
        log.warning("Vertices can't be collected now; the walks wait", .field("wait", wait), .cause(error))
    }

    func gaveUp(_ id: String, _ reason: String) {
        deadEnds.add()
        log.warning("An event has no vertices", .field("detection.id", id), .field("reason", reason))
    }
}
