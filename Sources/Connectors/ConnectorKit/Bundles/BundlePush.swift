// SPDX-License-Identifier: Apache-2.0

import Base
public import Engine
import JSON
import Messaging
public import OpenCTI
public import STIX
import Settings
import Synchronization
import Telemetry

/// Sends bundles to the platform the way an operator has chosen: queue or API, split or whole, by a draft or workbench,
/// and besides into a directory or bucket. One for a whole run: it keeps its connection.
///
/// Source: OpenCTI protocol, 7.1.
public final class BundlePush: Sendable {
    /// What one call did.
    public enum Result: Sendable, Hashable {
        /// Durable at the broker or the platform.
        case sent(messages: Int)
        /// Waits in a workbench.
        case awaitsValidation
        /// The work was deleted in the console: nothing was sent.
        case workGone
        /// Nothing but incompatible objects, or none.
        case empty
        /// `send_to_queue` is off.
        case notSent
    }

    private struct Fallback { var isOn = false }

    private let settings: ResolvedSettings
    private let client: OpenCTIClient
    private let connector: ConnectorProfile
    private let version: PlatformVersion?
    private let queue: Registration.QueueConfiguration?
    private let publisher: QueuePublisher?
    private let works: Works
    private let directory: BundleDirectory?
    private let bucket: BundleBucket?
    private let time: any TimeSource
    private let log: Log
    let broker: BrokerHealth
    private let fallback = Mutex(Fallback())
    private let announcements = Announcements()
    private let sentBundles: Counter
    private let sentMessages: Counter

    /// The connector declares ``BundleSettings/all``.
    ///
    /// - Parameter registration: names the broker, the exchange and the routing key.
    /// - Throws: ``ConnectorError/configuration(setting:reason:)``.
    public init(
        _ context: ConnectorContext, client: OpenCTIClient, connector: ConnectorProfile, registration: Registration,
        version: PlatformVersion?
    ) throws {
        settings = context.settings
        self.client = client
        self.connector = connector
        self.version = version
        time = context.time
        let log = context.log.with(.field("flow", context.name))
        self.log = log
        works = Works(client, settings: context.settings, version: version)
        queue = registration.queue
        broker = BrokerHealth(time: context.time) { Self.tell($0, log) }
        let metrics = BundleMetrics(context.metrics)
        sentBundles = metrics.bundles.with(context.name)
        sentMessages = metrics.messages.with(context.name)
        directory = try BundleDirectory(context.settings, connector: connector, time: context.time)
        bucket = try BundleBucket(context, registration.storage, connector: connector)
        guard settings[BundleSettings.queueProtocol] == .amqp, settings[BundleSettings.sendsToQueue] else {
            publisher = nil
            return
        }
        let connection = try BrokerConnection(context.settings, registration.queue)
        if connection.isUnverified {
            log.warning(
                "TLS certificates are not verified: anybody on the way can read and change what is exchanged",
                .field("connection", "rabbitmq"))
        }
        var options = QueuePublisher.Options()
        options.name = "sallyport-push"
        options.observe = { [broker] in broker.heed($0) }
        do { publisher = try QueuePublisher({ connection.address }, options) } catch {
            throw ConnectorError.refused(code: error.code, reason: error.description)
        }
    }

    static func declareMetrics(in metrics: Metrics) { _ = BundleMetrics(metrics) }

    /// What health should say of the way out; `nil` when all is well.
    public var trouble: String? {
        if broker.downFor != nil, fallback.withLock({ $0.isOn }) {
            return "RabbitMQ can't be reached: bundles go through OpenCTI's API instead."
        }
        return publisher == nil ? nil : broker.trouble
    }

    public func close() async { await publisher?.close() }

    /// Sends objects as one bundle; returns when whoever took it is responsible for it.
    ///
    /// - Parameters:
    ///   - bundleID: `bundle--<UUID>`; the same for each try of one thing.
    ///   - sharedWith: organisations that everything in it is shared with.
    ///   - mustValidate: it waits for a person, also where the settings don't say so.
    ///   - validation: how; `nil` for the way of the platform's version.
    ///   - entity: what it is about, for the workbench or draft.
    ///   - mayBeRepeated: an earlier try may have announced it already.
    /// - Throws: ``OpenCTIError``, ``BrokerError``, ``BundleHandoverError``, each with whether a later try may help.
    public func send(
        _ objects: [STIXObject], bundleID: String, _ envelope: BundleEnvelope, sharedWith: [String] = [],
        mustValidate: Bool = false, validation: EnrichmentMessage.Validation? = nil, entity: String? = nil,
        mayBeRepeated: Bool = false
    ) async throws -> Result {
        guard !objects.isEmpty else { return .empty }
        var envelope = envelope
        let values = objects.map { JSONValue.object(OrganizationSharing.sharing($0.members, with: sharedWith)) }
        let bundle: JSONValue = [
            "type": "bundle", "id": .string(bundleID), "spec_version": "2.1", "objects": .array(values),
        ]
        if mustValidate || settings[BundleSettings.validates],
            try await validate(bundle, validation ?? usualValidation, &envelope, entity: entity)
        {
            return .awaitsValidation
        }
        try await directory?.write(bundle, envelope)
        try await bucket?.write(bundle, envelope)
        guard settings[BundleSettings.sendsToQueue] else { return .notSent }
        guard let publisher, let queue else { return try await pushOverAPI(bundle, envelope) }
        let isWhole = settings[BundleSettings.form] == .whole && version?.hasBundlePush ?? false
        let parts = isWhole ? [bundle] : BundleSplitter.split(values, bundleID: bundleID).bundles
        guard !parts.isEmpty else { return .empty }
        let messages = parts.enumerated().map { envelope.message($1, sequence: $0 + 1) }
        if canGoOverAPI(envelope), let down = broker.downFor, down > Self.patience {
            return try await pushOverAPI(bundle, envelope)
        }
        // A worker that splits a whole bundle announces its parts itself.
        if !isWhole, !(try await announce(messages.count, bundleID, envelope, mayBeRepeated: mayBeRepeated)) {
            return .workGone
        }
        guard try await publish(messages, publisher, queue, envelope) else {
            // What was announced part by part is handed over part by part: a whole one would be announced again.
            for part in parts { if try await pushOverAPI(part, envelope) == .workGone { return .workGone } }
            announcements.sent(bundleID)
            return .sent(messages: parts.count)
        }
        announcements.sent(bundleID)
        sentBundles.add()
        sentMessages.add(messages.count)
        fallback.withLock { $0.isOn = false }
        return .sent(messages: messages.count)
    }

    // MARK: Queue

    private func announce(
        _ count: Int, _ bundleID: String, _ envelope: BundleEnvelope, mayBeRepeated: Bool
    ) async throws -> Bool {
        guard let work = envelope.workID else { return true }
        return try await announcements.announce(bundleID, to: work) {
            try await works.expect(count, of: work, mayBeRepeated: mayBeRepeated)
        }
    }

    private static let patience = Duration.seconds(10)

    /// - Returns: false when the broker can't be reached and the API can take it.
    private func publish(
        _ messages: [[UInt8]], _ publisher: QueuePublisher, _ queue: Registration.QueueConfiguration,
        _ envelope: BundleEnvelope
    ) async throws -> Bool {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await publisher.publish(messages, exchange: queue.pushExchange, routingKey: queue.pushRoutingKey)
                return true
            }
            group.addTask { [self] in
                while true {
                    try await time.sleep(for: .seconds(2))
                    if canGoOverAPI(envelope), let down = broker.downFor, down > Self.patience { return false }
                }
            }
            defer { group.cancelAll() }
            return try await group.next() ?? false
        }
    }

    // MARK: API

    /// A draft can't be named there.
    private func canGoOverAPI(_ envelope: BundleEnvelope) -> Bool {
        envelope.draftID == nil && version?.hasBundlePush ?? false
    }

    private func pushOverAPI(_ bundle: JSONValue, _ envelope: BundleEnvelope) async throws -> Result {
        if publisher != nil {
            let isNews = fallback.withLock { fallback in
                defer { fallback.isOn = true }
                return !fallback.isOn
            }
            if isNews { log.warning("RabbitMQ can't be reached: bundles go through OpenCTI's API until it can") }
        }
        do {
            try await client.push(bundle: bundle, connector: connector.id, work: envelope.workID)
        } catch {
            if error.refusalCode?.family == .gone { return .workGone }
            throw error
        }
        sentBundles.add()
        sentMessages.add()
        return .sent(messages: 1)
    }

    // MARK: Validation

    /// Drafts exist from 6.4 on and are the usual way from 7 on. Source: OpenCTI protocol, 9.
    private var usualValidation: EnrichmentMessage.Validation { version?.prefersDrafts ?? false ? .draft : .workbench }

    /// - Returns: whether that was all; else the bundle goes on, into a draft.
    private func validate(
        _ bundle: JSONValue, _ validation: EnrichmentMessage.Validation, _ envelope: inout BundleEnvelope,
        entity: String?
    ) async throws -> Bool {
        // pycti names it after the work, and without one there is no validation.
        guard let work = envelope.workID else { return false }
        if validation == .workbench || !(version?.hasDrafts ?? false) {
            try await client.uploadPending(fileName: work + ".json", bundle: bundle, entity: entity)
            if version?.prefersDrafts ?? false {
                // The console shows the work as complete only with something expected and done.
                if try await works.expect(1, of: work) { _ = try await client.reportExpectation(work: work) }
            }
            return true
        }
        guard envelope.draftID == nil else { return false }
        let draft = try await client.addDraft(name: work + ".json", entity: entity)
        try await client.addDraftContext(work: work, draft: draft)
        envelope.draftID = draft
        return false
    }

    private static func tell(_ change: BrokerState, _ log: Log) {
        switch change {
        case .connected: log.info("Connected to RabbitMQ for bundles")
        case .blocked(let reason): log.warning("RabbitMQ takes no bundles", .field("reason", reason))
        case .disconnected(let error, let wait):
            log.warning(
                "RabbitMQ can't be reached for bundles; trying again", .field("error.code", error.code),
                .field("reason", error.description), .field("wait", wait))
        case .connecting, .closed: break
        }
    }
}

struct BundleMetrics {
    let bundles: Family<Counter>
    let messages: Family<Counter>

    init(_ metrics: Metrics) {
        bundles = metrics.counter(
            "sallyport_bundles_sent_total", "Bundles taken by the queue or the API", labels: ["flow"])
        messages = metrics.counter(
            "sallyport_bundle_messages_total", "Messages that they were sent in", labels: ["flow"])
    }
}
