// SPDX-License-Identifier: Apache-2.0

public import Base
import Synchronization

/// What each part of the program says about itself, and whether the process is ready and alive.
///
/// Ready: no component is ``ComponentStatus/notReady(_:)`` and no expected heartbeat is overdue. Alive: no component's
/// heartbeat is overdue so long that only a restart helps.
public final class Health: Sendable {
    struct Component {
        var status: ComponentStatus
        var since: Instant
        var heartbeat: Duration?
        var staleAfter: Duration?
        var deadAfter: Duration?
    }

    private let components = Mutex<[String: Component]>([:])
    let time: any TimeSource

    public init(time: any TimeSource = SystemTime()) { self.time = time }

    /// A new component, not ready until it says otherwise. The same name gives the same component, begun anew.
    ///
    /// - Parameters:
    ///   - staleAfter: without a ``HealthComponent/beat()`` for so long the component counts as not ready. `nil`: it has
    ///     no heartbeat.
    ///   - deadAfter: without one for so long the process counts as dead. `nil`: never.
    public func component(
        _ name: String, staleAfter: Duration? = nil, deadAfter: Duration? = nil
    ) -> HealthComponent {
        let (now, uptime) = (time.now, time.uptime)
        components.withLock {
            $0[name] = Component(
                status: .notReady("starting"), since: now, heartbeat: staleAfter == nil ? nil : uptime,
                staleAfter: staleAfter, deadAfter: deadAfter)
        }
        return HealthComponent(name: name, health: self)
    }

    /// The state of all components now, by name.
    public func report() -> HealthReport {
        let uptime = time.uptime
        let components = components.withLock { $0 }
        let reports = components.sorted { $0.key < $1.key }.map { name, component in
            let age = component.heartbeat.map { uptime - $0 }
            let isStale = if let age, let limit = component.staleAfter { age >= limit } else { false }
            let isDead = if let age, let limit = component.deadAfter { age >= limit } else { false }
            var status = component.status
            if isStale, let age {
                status = .notReady("no sign of life for \(age.components.seconds) s")
            }
            return HealthReport.Component(
                name: name, status: status, since: component.since, heartbeatAge: age, isDead: isDead)
        }
        return HealthReport(components: reports, version: BuildInfo.version)
    }

    public var isReady: Bool { report().isReady }
    public var isAlive: Bool { report().isAlive }

    /// Adds `sallyport_component_ready{component}` (1 ready, also when degraded) and
    /// `sallyport_component_degraded{component}`.
    public func register(in metrics: Metrics) {
        metrics.collect(
            "sallyport_component_ready", "Whether a component is ready.", labels: ["component"],
            read: { [self] in report().components.map { ([$0.name], $0.status.isReady ? 1 : 0) } })
        metrics.collect(
            "sallyport_component_degraded", "Whether a component works with restrictions.", labels: ["component"],
            read: { [self] in
                report().components.map { component in
                    if case .degraded = component.status { ([component.name], 1) } else { ([component.name], 0) }
                }
            })
    }

    func update(_ name: String, _ change: (inout Component) -> Void) {
        components.withLock { components in
            guard var component = components[name] else { return }
            change(&component)
            components[name] = component
        }
    }

    func remove(_ name: String) { components.withLock { $0[name] = nil } }
}

/// How a component is. The reason is a sentence for people, without secrets.
public enum ComponentStatus: Sendable, Hashable {
    case ok
    /// Works, but somebody should look: `TLS is not verified (OPENCTI_SSL_VERIFY=false)`.
    case degraded(String)
    case notReady(String)

    public var isReady: Bool { if case .notReady = self { false } else { true } }
    public var reason: String? {
        switch self {
        case .ok: nil
        case .degraded(let reason), .notReady(let reason): reason
        }
    }
}

/// A component's own handle.
public struct HealthComponent: Sendable {
    public let name: String
    private let health: Health

    init(name: String, health: Health) {
        self.name = name
        self.health = health
    }

    /// Sets the status; a report is also a sign of life.
    public func report(_ status: ComponentStatus) {
        let (now, uptime) = (health.time.now, health.time.uptime)
        health.update(name) { component in
            if component.status != status { component.since = now }
            component.status = status
            if component.staleAfter != nil { component.heartbeat = uptime }
        }
    }

    /// A sign of life.
    public func beat() {
        let uptime = health.time.uptime
        health.update(name) { component in
            if component.staleAfter != nil { component.heartbeat = uptime }
        }
    }

    /// Expects no heartbeat until the next one, for a reader that back-pressure has paused.
    public func pauseHeartbeat() { health.update(name) { $0.heartbeat = nil } }

    /// Takes the component out, when its flow has ended for good.
    public func remove() { health.remove(name) }
}

/// A moment's health, for `/health/live`, `/health/ready` and the console.
public struct HealthReport: Sendable {
    public struct Component: Sendable {
        public let name: String
        public let status: ComponentStatus
        /// When the status last changed.
        public let since: Instant
        public let heartbeatAge: Duration?
        public let isDead: Bool
    }

    public let components: [Component]
    public let version: String

    public var isReady: Bool { components.allSatisfy(\.status.isReady) }
    public var isAlive: Bool { components.allSatisfy { !$0.isDead } }

    /// `{"status":"ok|degraded|not_ready","ready":…,"live":…,"version":…,"components":[{"name","status","reason"?,
    /// "since","heartbeat_age_seconds"?,"dead"?}]}`
    public var json: [UInt8] {
        let isDegraded = components.contains { $0.status != .ok }
        var text = LogText()
        text.append("{\"status\":\"")
        text.append(plain: !isReady ? "not_ready" : isDegraded ? "degraded" : "ok")
        text.append("\",\"ready\":")
        text.append(isReady ? "true" : "false")
        text.append(",\"live\":")
        text.append(isAlive ? "true" : "false")
        text.append(",\"version\":")
        text.append(quoted: version)
        text.append(",\"components\":[")
        for (index, component) in components.enumerated() {
            if index > 0 { text.append(",") }
            text.append("{\"name\":")
            text.append(quoted: component.name)
            switch component.status {
            case .ok: text.append(",\"status\":\"ok\"")
            case .degraded: text.append(",\"status\":\"degraded\"")
            case .notReady: text.append(",\"status\":\"not_ready\"")
            }
            if let reason = component.status.reason {
                text.append(",\"reason\":")
                text.append(quoted: reason)
            }
            text.append(",\"since\":\"")
            text.append(plain: component.since.description)
            text.append("\"")
            if let age = component.heartbeatAge {
                text.append(",\"heartbeat_age_seconds\":")
                text.append(jsonNumber: age.inSeconds)
            }
            if component.isDead { text.append(",\"dead\":true") }
            text.append("}")
        }
        text.append("]}")
        return text.bytes
    }
}
