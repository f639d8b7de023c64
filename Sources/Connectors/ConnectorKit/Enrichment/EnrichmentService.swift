// SPDX-License-Identifier: Apache-2.0

import Base
import Engine
import HTTPServer
import Hashing
import JSON
import Messaging
import OpenCTI
import Settings
import Storage
import Telemetry

/// A registered enrichment connector at work: what comes in, who does it, and what is told meanwhile.
struct EnrichmentService: Sendable {
    /// A broker closes the channel of whoever holds a message for 30 minutes. Source: OpenCTI protocol, 5.1.
    static let longestHold = Duration.seconds(1200)
    static let maxMessageBytes = 32 << 20
    /// What is in work when we are asked to stop may end within this time.
    static let grace = Duration.seconds(15)

    let shell: EnrichmentShell
    let client: OpenCTIClient
    let connector: ConnectorProfile
    let registration: Registration
    let version: PlatformVersion?
    let push: BundlePush
    let log: Log
    let flow: Int64
    let target: Int64

    private var context: ConnectorContext { shell.context }
    private var time: any TimeSource { shell.context.time }

    /// The parts that all tasks share.
    struct Parts: Sendable {
        var worker: EnrichmentWorker
        var jobs: EnrichmentJobs
        var register: ParcelRegister
        var slots: Slots
        var events: EnrichmentEvents
        var listening: BrokerHealth
        var consumer: QueueConsumer?
        var listener: CallbackListener?
        /// Raised when nothing new may begin.
        var isStopping: StopSignal
    }

    func run(until stop: StopSignal) async throws {
        var parts = parts()
        if shell.listensOverHTTP {
            parts.listener = try listen(parts.jobs)
        } else {
            parts.consumer = try consume(parts.listening)
        }
        await work(parts, until: stop)
        // Now nobody works any more: what is settled is told to the broker, the rest goes back to it.
        await parts.listener?.stop()
        await parts.consumer?.close()
        await parts.worker.attempts.flush()
    }

    /// Everything but the way in.
    func parts() -> Parts {
        let events = EnrichmentEvents(log: log, metrics: context.metrics, flow: context.name)
        let attempts = AttemptDesk(store: context.store, flow: flow, time: time)
        let worker = EnrichmentWorker(
            handler: shell.handler, scope: Set(shell.profile.scope.map { $0.lowercased() }), client: client,
            version: version, userID: registration.userID,
            works: Works(client, settings: context.settings, version: version), push: push,
            writer: PlatformWriter(client, version: version, time: time), attempts: attempts, store: context.store,
            flow: flow,
            target: target, fencingToken: context.fencingToken, time: time, events: events,
            started: time.now)
        return Parts(
            worker: worker,
            jobs: EnrichmentJobs(
                store: context.store, flow: flow, target: target, fencingToken: context.fencingToken, time: time),
            register: ParcelRegister(), slots: Slots(shell.profile.concurrency), events: events,
            listening: BrokerHealth(time: time) { events.listening($0) }, isStopping: StopSignal())
    }

    // MARK: Coming in

    private func consume(_ health: BrokerHealth) throws -> QueueConsumer {
        let connection = try BrokerConnection(context.settings, registration.queue)
        guard let queue = registration.queue?.listenQueue else {
            throw ConnectorError.refused(code: "opencti.malformed", reason: "OpenCTI names no queue to listen to.")
        }
        let options = QueueConsumer.Options(
            queue: queue, prefetch: shell.profile.concurrency, maxMessageBytes: Self.maxMessageBytes,
            name: "sallyport-listen", observe: { health.heed($0) })
        do { return try QueueConsumer({ connection.address }, options) } catch {
            throw ConnectorError.refused(code: error.code, reason: error.description)
        }
    }

    private func listen(_ jobs: EnrichmentJobs) throws -> CallbackListener {
        let settings = context.settings
        let configuration = client.configuration
        let certificate = try EnrichmentSettings.certificate(settings)
        let check = CallbackToken(keySet: registration.keySet, token: { configuration.token() })
        do {
            let listener = try CallbackListener(
                address: settings[EnrichmentSettings.listenAddress].text, port: settings[EnrichmentSettings.listenPort],
                path: settings[EnrichmentSettings.listenPath], maxBytes: Self.maxMessageBytes, certificate: certificate,
                token: check, time: time
            ) { body in
                guard try await jobs.hasRoom() else { return false }
                try await jobs.add(KeyHasher().digest(body), body, due: jobs.time.now)
                return true
            }
            log.info(
                "Listening for requests", .field("port", listener.port), .field("signed", check.isSigned),
                .field("tls", certificate != nil))
            return listener
        } catch {
            switch error {
            case .badCertificate, .noTLS:
                throw ConnectorError.configuration(
                    setting: EnrichmentSettings.listenCertificate.key, reason: error.description)
            default: throw ConnectorError.refused(code: "enrichment.listener", reason: error.description)
            }
        }
    }

    // MARK: At work

    private func work(_ parts: Parts, until stop: StopSignal) async {
        await withTaskGroup(of: Void.self) { group in
            let ping = pingLoop(parts)
            group.addTask { await ping.run() }
            group.addTask { await watch(parts) }
            group.addTask { await tidy(parts) }
            let working = Task {
                await withTaskGroup(of: Void.self) { group in
                    if let consumer = parts.consumer {
                        group.addTask { await takeDeliveries(consumer, parts) }
                    }
                    group.addTask { await takeJobs(parts) }
                }
            }
            await stop.wait()
            parts.isStopping.raise()
            parts.consumer?.stopTaking()
            parts.jobs.bell.finish()
            let deadline = Task { [time] in
                try? await time.sleep(for: Self.grace)
                working.cancel()
            }
            await working.value
            deadline.cancel()
            group.cancelAll()
        }
    }

    private func takeDeliveries(_ consumer: QueueConsumer, _ parts: Parts) async {
        await withDiscardingTaskGroup { group in
            let hasher = KeyHasher()
            while !parts.isStopping.isRaised, let delivery = await consumer.next() {
                let now = time.uptime
                let parcel = EnrichmentParcel(
                    origin: .queue(delivery.tag), body: delivery.body, digest: hasher.digest(delivery.body),
                    cutFrom: delivery.cutFrom, mayBeRepeated: delivery.isRedelivered,
                    deliveryCount: delivery.deliveryCount ?? 0, received: time.now, holdUntil: now + Self.longestHold)
                // Cancelled while it waits: what nobody has begun stays where it came from.
                guard (try? await parts.slots.enter()) != nil else { return }
                group.addTask {
                    await settle(parcel, parts)
                    parts.slots.leave()
                }
            }
        }
    }

    private func takeJobs(_ parts: Parts) async {
        await withDiscardingTaskGroup { group in
            let hasher = KeyHasher()
            while !parts.isStopping.isRaised, !Task.isCancelled {
                var jobs: [Job] = []
                do {
                    let inWork = await parts.register.count
                    jobs = try await parts.jobs.due(limit: inWork + shell.profile.concurrency)
                } catch { log.warning("Waiting requests could not be read", .cause(error)) }
                var begun = 0
                for job in jobs where !parts.isStopping.isRaised {
                    let digest = hasher.digest(job.payload)
                    if await parts.register.isInWork(digest) { continue }
                    let parcel = EnrichmentParcel(
                        origin: .job(job), body: job.payload, digest: digest, cutFrom: nil,
                        mayBeRepeated: job.attempts > 0 || job.created < parts.worker.started, deliveryCount: 0,
                        received: job.created, holdUntil: time.uptime + Self.longestHold)
                    begun += 1
                    guard (try? await parts.slots.enter()) != nil else { return }
                    group.addTask {
                        await settle(parcel, parts)
                        parts.slots.leave()
                        _ = parts.jobs.bell.offer(())
                    }
                }
                if begun == 0 { await waitForJobs(parts) }
            }
        }
    }

    private func waitForJobs(_ parts: Parts) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await parts.jobs.bell.receive() }
            group.addTask { [time] in try? await time.sleep(for: .seconds(5)) }
            await group.next()
            group.cancelAll()
        }
    }

    /// One message to its end, and the word to whoever keeps it.
    func settle(_ parcel: EnrichmentParcel, _ parts: Parts) async {
        switch await parts.register.enter(parcel) {
        // Its first delivery answers for this one too.
        case .inWork: return
        case .ended:
            if case .queue(let tag) = parcel.origin { parts.consumer?.acknowledge(tag) }
            return
        case .begin: break
        }
        var end = await parts.worker.handle(parcel)
        if case .later(let reason) = end { end = await postpone(parcel, reason, parts) }
        var isDone = false
        if case .done = end { isDone = true }
        if isDone, case .job(let job) = parcel.origin { await finish(job, parts) }
        for tag in await parts.register.leave(parcel, isDone: isDone) {
            if isDone { parts.consumer?.acknowledge(tag) } else { parts.consumer?.giveBack(tag) }
        }
    }

    private func finish(_ job: Job, _ parts: Parts) async {
        do { try await parts.jobs.done(job) } catch {
            // It comes again, and its work says that it is done.
            log.warning("A waiting request could not be removed", .cause(error))
        }
    }

    /// - Returns: done, once it is durable with us and the broker need not keep it.
    private func postpone(_ parcel: EnrichmentParcel, _ reason: String, _ parts: Parts) async -> ParcelEnd {
        do {
            switch parcel.origin {
            case .queue:
                try await parts.jobs.add(
                    parcel.digest, parcel.body, due: time.now.advanced(by: EnrichmentJobs.pause(after: 1)), attempts: 1)
                parts.events.becameJob(reason)
                return .done
            case .job(let job):
                guard time.now < job.created.advanced(by: EnrichmentJobs.patience) else {
                    let patience = Patience(time: time, until: time.uptime + .seconds(30)) {
                        parts.events.waits(for: $0)
                    }
                    let message = try? EnrichmentMessage(parsing: parcel.body)
                    try await parts.worker.refuse(
                        parcel, "enrichment.given_up", "Given up after a day: \(reason)", work: message?.workID,
                        patience,
                        time.uptime, attempts: job.attempts)
                    return .done
                }
                try await parts.jobs.later(job)
                return .givenBack
            }
        } catch {
            log.warning("A request could not be postponed", .cause(error))
            return .givenBack
        }
    }

    // MARK: Meanwhile

    /// A state of our own on the platform: its disappearance tells of a reset, which has emptied the queue.
    private static let mark: JSONObject = ["enrichment": "sallyport"]

    private func pingLoop(_ parts: Parts) -> PingLoop {
        PingLoop(
            client: client, profile: connector, registration: registration, version: version, time: time,
            state: { Self.mark },
            handle: { await heed($0, parts) })
    }

    func heed(_ event: PingLoop.Event, _ parts: Parts) async {
        parts.events.pinged(event)
        guard case .replaced(nil) = event else { return }
        parts.events.queueWasReset()
        do {
            try await parts.worker.attempts.forgetAll()
            try await parts.jobs.forgetAll()
        } catch { log.warning("The reset could not be followed", .cause(error)) }
    }

    private func watch(_ parts: Parts) async {
        let health = context.health.component(context.name)
        while !Task.isCancelled {
            health.report(status(parts))
            await parts.worker.attempts.flush()
            for work in parts.worker.longWorks.due(at: time.uptime) {
                do { try await parts.worker.works.ping(work) } catch { parts.events.reportFailed(error, work: work) }
            }
            do { try await time.sleep(for: .seconds(2)) } catch { return }
        }
    }

    private func status(_ parts: Parts) -> ComponentStatus {
        if parts.consumer != nil, let trouble = parts.listening.trouble {
            return .notReady(trouble)
        }
        if parts.consumer != nil, parts.listening.downFor != nil { return .degraded("connecting to RabbitMQ") }
        if let trouble = push.trouble { return .degraded(trouble) }
        if context.isStateEphemeral {
            return .degraded("The state folder does not outlive this container: give it a volume.")
        }
        return .ok
    }

    /// Dead letters that somebody wants tried again become jobs.
    private func tidy(_ parts: Parts) async {
        while !Task.isCancelled {
            do {
                var query = DeadLetterQuery()
                query.flow = flow
                query.retryOnly = true
                query.limit = 50
                for letter in try await context.store.deadLetters(query) {
                    let digest = KeyHasher().digest(letter.input)
                    try await parts.jobs.add(digest, letter.input, due: time.now)
                    _ = try await context.store.removeDeadLetters(ids: [letter.id])
                }
            } catch { log.warning("Dead letters could not be taken up", .cause(error)) }
            do { try await time.sleep(for: .seconds(10)) } catch { return }
        }
    }
}
