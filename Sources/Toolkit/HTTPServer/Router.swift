// SPDX-License-Identifier: Apache-2.0

/// Finds the handler by method and path. Fill it first, then give ``answer(to:)`` to the server.
///
/// Patterns are paths whose segments are literal, `{name}` (one segment, decoded into
/// ``ServerRequest/parameters``) or, as the last one, `{name...}` (all the rest, at least one segment). A literal segment wins over a
/// parameter. A `HEAD` request takes the `GET` route.
public struct Router: Sendable {
    private struct Route: Sendable {
        let segments: [Segment]
        var handlers: [String: RequestHandler]
    }
    private enum Segment: Sendable, Hashable {
        case literal(String)
        case parameter(String)
        case rest(String)
    }

    private var literals: [String: [String: RequestHandler]] = [:]
    private var patterns: [Route] = []
    /// Answers what no route matches. Default: 404 in plain text.
    public var notFound: RequestHandler = { _ in .now(.text("Not found\n", status: 404)) }
    /// Answers a path that exists under other methods only (they are named). Default: 405 in plain text.
    public var wrongMethod: @Sendable (_ request: ServerRequest, _ allowed: [String]) -> Answer = { _, allowed in
        var response = ServerResponse.text("Method not allowed\n", status: 405)
        response.headers["Allow"] = allowed.joined(separator: ", ")
        return .now(response)
    }

    public init() {}

    /// Adds a route; the same method and pattern again replaces it.
    public mutating func on(_ method: String, _ pattern: String, _ handler: @escaping RequestHandler) {
        let segments = Self.split(pattern).map(Self.segment)
        if segments.allSatisfy({ if case .literal = $0 { true } else { false } }) {
            literals[pattern, default: [:]][method] = handler
        } else if let index = patterns.firstIndex(where: { $0.segments == segments }) {
            patterns[index].handlers[method] = handler
        } else {
            patterns.append(Route(segments: segments, handlers: [method: handler]))
        }
    }

    public mutating func get(_ pattern: String, _ handler: @escaping RequestHandler) { on("GET", pattern, handler) }
    public mutating func post(_ pattern: String, _ handler: @escaping RequestHandler) { on("POST", pattern, handler) }

    /// A ``RequestHandler``.
    public func answer(to request: ServerRequest) -> Answer {
        var allowed: Set<String> = []
        if let handlers = literals[request.path] {
            if let handler = Self.handler(for: request.method, in: handlers) { return handler(request) }
            allowed.formUnion(handlers.keys)
        }
        let parts = Self.split(request.rawPath).map { PercentDecoding.decode($0, plusIsBlank: false) }
        var best: (route: Route, values: [String: String], rank: [Int])?
        for route in patterns {
            guard let (values, rank) = Self.match(route.segments, parts) else { continue }
            allowed.formUnion(route.handlers.keys)
            guard Self.handler(for: request.method, in: route.handlers) != nil else { continue }
            if let found = best, !rank.lexicographicallyPrecedes(found.rank) { continue }
            best = (route, values, rank)
        }
        if let best, let handler = Self.handler(for: request.method, in: best.route.handlers) {
            var request = request
            request.parameters = best.values
            return handler(request)
        }
        return allowed.isEmpty ? notFound(request) : wrongMethod(request, allowed.sorted())
    }

    private static func handler(for method: String, in handlers: [String: RequestHandler]) -> RequestHandler? {
        handlers[method] ?? (method == "HEAD" ? handlers["GET"] : nil)
    }

    private static func split(_ path: String) -> [Substring] {
        path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map { $0 }
    }

    private static func segment(_ text: Substring) -> Segment {
        guard text.hasPrefix("{"), text.hasSuffix("}") else { return .literal(String(text)) }
        let name = text.dropFirst().dropLast()
        return name.hasSuffix("...") ? .rest(String(name.dropLast(3))) : .parameter(String(name))
    }

    // The rank orders routes: per segment 0 for a literal, 1 for a parameter, 2 for the rest.
    private static func match(_ segments: [Segment], _ parts: [String]) -> ([String: String], [Int])? {
        var values: [String: String] = [:]
        var rank: [Int] = []
        for (index, segment) in segments.enumerated() {
            guard index < parts.count else { return nil }
            switch segment {
            case .literal(let text):
                guard text == parts[index] else { return nil }
                rank.append(0)
            case .parameter(let name):
                guard !parts[index].isEmpty else { return nil }
                values[name] = parts[index]
                rank.append(1)
            case .rest(let name):
                values[name] = parts[index...].joined(separator: "/")
                return (values, rank + [2])
            }
        }
        return segments.count == parts.count ? (values, rank) : nil
    }
}
