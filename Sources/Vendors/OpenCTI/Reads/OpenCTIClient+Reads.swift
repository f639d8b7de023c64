// SPDX-License-Identifier: Apache-2.0

public import Base
public import JSON

/// The user behind the token.
public struct PlatformUser: Sendable, Hashable {
    public let id: String
    public let name: String
    /// The platform's own names: `CONNECTORAPI`, `TAXIIAPI`, `KNOWLEDGE`, `BYPASS`, …
    public let capabilities: Set<String>

    /// Whether the user may do what `capability` allows; BYPASS allows everything.
    public func has(_ capability: String) -> Bool {
        capabilities.contains("BYPASS") || capabilities.contains(capability)
    }
}

/// A live stream as an operator set it up.
public struct StreamCollection: Sendable, Hashable {
    public let id: String
    public let name: String?
    /// Started; a stopped one answers 410.
    public let isLive: Bool
    /// Readable without a token.
    public let isPublic: Bool
    /// `nil` when the platform's text cannot be read; without filters it is empty and the stream carries everything.
    public let filters: FilterGroup?
}

/// An indicator as GraphQL gives it.
public struct IndicatorRecord: Sendable, Hashable {
    /// The platform's internal id: the extension `id` of the live stream.
    public let id: String
    public let stixID: String
    public let name: String?
    public let description: String?
    public let pattern: String
    public let patternType: String?
    public let isRevoked: Bool
    public let validUntil: Instant?
    public let score: JSONValue?
    public let labels: [String]
    public let platforms: [String]
    /// The platform's own clock; `nil` where it was not asked for.
    public let updatedAt: Instant?
    /// What it is based on; empty where it was not asked for. At most 500.
    public let observables: [LinkedObservable]

    /// An observable that an indicator is based on.
    public struct LinkedObservable: Sendable, Hashable {
        public let id: String
        /// `StixFile`, `IPv4-Addr`, `Domain-Name`.
        public let type: String
        /// Its display value: of a file a hash, else the name, else `Unknown`.
        public let value: String

        public init(id: String, type: String, value: String) {
            self.id = id
            self.type = type
            self.value = value
        }

        init?(_ node: JSONValue) {
            guard let type = node["entity_type"]?.string, let value = node["observable_value"]?.string else {
                return nil
            }
            self.init(id: node["id"]?.string ?? "", type: type, value: value)
        }
    }

    /// Not revoked and not past its end.
    public func isLive(at now: Instant) -> Bool { !isRevoked && validUntil.map { $0 > now } ?? true }

    init?(_ node: JSONValue) {
        guard let id = node["id"]?.string, let stixID = node["standard_id"]?.string,
            let pattern = node["pattern"]?.string
        else { return nil }
        self.id = id
        self.stixID = stixID
        self.pattern = pattern
        name = node["name"]?.string
        description = node["description"]?.string
        patternType = node["pattern_type"]?.string
        isRevoked = node["revoked"]?.bool ?? false
        validUntil = node["valid_until"]?.string.flatMap { Instant(parsing: $0) }
        score = node["x_opencti_score"].flatMap { $0.isNull ? nil : $0 }
        labels = node["objectLabel"]?.array?.compactMap { $0["value"]?.string } ?? []
        platforms = node["x_mitre_platforms"]?.array?.compactMap(\.string) ?? []
        updatedAt = node["updated_at"]?.string.flatMap { Instant(parsing: $0) }
        let edges = node["observables"]?["edges"]?.array?.compactMap { $0["node"] }
        observables = (edges ?? node["observables"]?.array ?? []).compactMap { LinkedObservable($0) }
    }
}

extension OpenCTIClient {
    public func me() async throws(OpenCTIError) -> PlatformUser {
        let me = try await execute(OpenCTIDocuments.me)["me"]
        guard let id = me?["id"]?.string else { throw .malformed(operation: "me", reason: "the user's id is missing") }
        return PlatformUser(
            id: id, name: me?["name"]?.string ?? "",
            capabilities: Set(me?["capabilities"]?.array?.compactMap { $0["name"]?.string } ?? []))
    }

    /// `nil` when there is no such stream or the user may not see it. The stream `live` is none of these.
    public func streamCollection(_ id: String) async throws(OpenCTIError) -> StreamCollection? {
        let data = try await execute(OpenCTIDocuments.streamCollection, variables: ["id": .string(id)])
        guard let stream = data["streamCollection"], let id = stream["id"]?.string else { return nil }
        let filters = stream["filters"]?.string ?? ""
        return StreamCollection(
            id: id, name: stream["name"]?.string, isLive: stream["stream_live"]?.bool ?? false,
            isPublic: stream["stream_public"]?.bool ?? false,
            filters: filters.isEmpty ? FilterGroup() : FilterGroup(parsing: filters))
    }

    /// - Parameters:
    ///   - id: internal id, standard id or any STIX id the platform knows the indicator by.
    ///   - withObservables: also those that it is based on.
    /// - Returns: `nil` when there is none or the user may not see it.
    public func indicator(
        _ id: String, withObservables: Bool = false
    ) async throws(OpenCTIError) -> IndicatorRecord? {
        let document = withObservables ? OpenCTIDocuments.indicatorWithObservables : OpenCTIDocuments.indicator
        let data = try await execute(document, variables: ["id": .string(id)])
        guard let node = data["indicator"], !node.isNull else { return nil }
        guard let record = IndicatorRecord(node) else {
            throw .malformed(operation: "indicator", reason: "id, standard_id or pattern is missing")
        }
        return record
    }

    /// The STIX 2.1 form of an object with OpenCTI's extensions; `nil` when there is none.
    public func stix(_ id: String) async throws(OpenCTIError) -> JSONValue? {
        let data = try await execute(OpenCTIDocuments.stix, variables: ["id": .string(id)])
        guard let text = data["stix"]?.string else { return nil }
        guard let object = try? JSONValue(parsing: text) else {
            throw .malformed(operation: "stix", reason: "the object's text is no JSON")
        }
        return object
    }

    /// Indicators that are live and whose pattern may hold `value`, for the question whether another one still wants a
    /// value blocked. The platform finds words, not comparisons: the caller parses each pattern to know.
    ///
    /// - Parameters:
    ///   - value: as the pattern spells it; without double quotes.
    ///   - excluding: internal ids not to report, such as the indicator being deleted.
    /// - Returns: `nil` when the platform cannot say: it found more than `limit`, is older than 5.12, or the value
    ///   contains a double quote.
    public func liveIndicators(
        holding value: String, excluding: Set<String> = [], at now: Instant, on version: PlatformVersion?,
        limit: Int = 500
    ) async throws(OpenCTIError) -> [IndicatorRecord]? {
        guard version?.hasFilterGroups ?? true, !value.isEmpty, !value.contains("\"") else { return nil }
        let filters = FilterGroup(filters: [
            .init(["revoked"], values: ["false"]), .init(["pattern_type"], values: ["stix"]),
        ])
        var found: [IndicatorRecord] = []
        var after: String?
        var read = 0
        repeat {
            let data = try await execute(
                OpenCTIDocuments.indicatorsHolding,
                variables: [
                    "search": .string("\"\(value)\""), "filters": filters.json, "first": 100,
                    "after": after.map(JSONValue.string) ?? .null,
                ])
            guard let edges = data["indicators"]?["edges"]?.array else {
                throw .malformed(operation: "indicatorsHolding", reason: "the list is missing")
            }
            for edge in edges {
                guard let node = edge["node"], let record = IndicatorRecord(node) else { continue }
                if record.isLive(at: now), !excluding.contains(record.id) { found.append(record) }
            }
            read += edges.count
            let page = data["indicators"]?["pageInfo"]
            after = page?["hasNextPage"]?.bool == true && !edges.isEmpty ? page?["endCursor"]?.string : nil
            if after != nil, read >= limit { return nil }
        } while after != nil
        return found
    }
}
