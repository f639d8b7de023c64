// SPDX-License-Identifier: Apache-2.0

import HarfangLab
import JSON

/// One list of the console, read page by page to its end although it changes meanwhile.
///
/// Pages are counted from the list's beginning. When something leaves the list (its status is no longer one of those asked
/// for), everything behind it moves up, and the next page leaves as many out. The list's count tells: where it is another
/// than a page before, that page is not used, and a new window begins at the last moment that was read. The moment counts
/// itself in, so that results come twice rather than not at all; who reads must know what it has. The same happens at the
/// console's ceiling of 10,000 results.
///
/// Belongs to one reader.
final class Listing {
    typealias Opening = @Sendable (StartDate?) async throws(HarfangLabError) -> HarfangLabPage

    private let console: HarfangLabClient
    private let operation: String
    private let open: Opening
    private let moment: @Sendable (JSONValue) -> StartDate?
    private let isRestless: Bool

    /// Where the window at hand begins; `nil` for the list's own beginning.
    private var start: StartDate?
    /// The page whose successor comes next; `nil` when a window is to be opened.
    private var page: HarfangLabPage?
    /// The last moment that was read.
    private var newest: StartDate?
    private var isOver = false
    /// Windows begun anew at one moment.
    private var repeats = 0
    /// A moment that holds more than the console ever shows: what lies beyond its ceiling there can't be read.
    private(set) var overfull: StartDate?

    /// - Parameters:
    ///   - start: where the first window begins; `nil` for the list's own beginning.
    ///   - isRestless: what was read may come again behind what was not, as in the order of last changes: then each page is
    ///     a window of its own.
    ///   - moment: what the list is in the order of.
    ///   - open: asks for the first page of a window.
    init(
        _ console: HarfangLabClient, operation: String, from start: StartDate?, isRestless: Bool = false,
        moment: @escaping @Sendable (JSONValue) -> StartDate?, open: @escaping Opening
    ) {
        self.console = console
        self.operation = operation
        self.start = start
        self.isRestless = isRestless
        self.moment = moment
        self.open = open
    }

    /// - Returns: the next results; `nil` at the end.
    func next() async throws(HarfangLabError) -> [JSONValue]? {
        overfull = nil
        if isOver { return nil }
        var read = try await ask()
        if let page, read.count != page.count, reopen() { read = try await open(start) }
        guard !read.results.isEmpty else {
            isOver = true
            return nil
        }
        take(read)
        return read.results
    }

    private func ask() async throws(HarfangLabError) -> HarfangLabPage {
        guard let next = page?.next else { return try await open(start) }
        return try await console.page(next, operation: operation)
    }

    private func take(_ read: HarfangLabPage) {
        page = read
        for result in read.results {
            if let date = moment(result) { newest = newest.map { max($0, date) } ?? date }
        }
        if read.isCutAtCeiling {
            if !reopen(), let newest {
                overfull = newest
                start = newest.next
                page = nil
            }
        } else if read.next == nil {
            isOver = true
        } else if isRestless, isAhead {
            _ = reopen()
        }
    }

    /// Whether a new window would begin behind the one at hand.
    private var isAhead: Bool {
        guard let newest else { return false }
        return start.map { $0 < newest } ?? true
    }

    /// Begins a new window at the last moment that was read.
    ///
    /// - Returns: false where that has been tried without getting any further.
    private func reopen() -> Bool {
        if isAhead {
            start = newest
            repeats = 0
        } else {
            guard repeats < 3, page?.isCutAtCeiling == false else { return false }
            repeats += 1
        }
        page = nil
        return true
    }
}
