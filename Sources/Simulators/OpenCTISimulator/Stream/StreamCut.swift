// SPDX-License-Identifier: Apache-2.0

import JSON

/// Where connections of the stream break, counted in frames. For a break after so many bytes see the fault kinds `cut`,
/// `end` and `stall` of ``FaultRule``.
public struct StreamCut: Sendable, Hashable {
    public enum Place: String, Sendable, CaseIterable {
        /// Between two frames.
        case between
        /// In the middle of a frame.
        case inside
        /// Between a dependency and its object, which share one id; if there is none, between frames that share one.
        case group
    }
    public enum Way: String, Sendable, CaseIterable {
        case reset
        /// The response ends as if the platform had closed it.
        case end
        /// The connection stays open and silent, heartbeats included.
        case silence
    }

    /// Data frames of a connection before it breaks.
    public var frames: Int
    public var place: Place
    public var way: Way
    /// How many connections break; `nil`: all.
    public var times: Int?

    public init(frames: Int, place: Place = .between, way: Way = .reset, times: Int? = 1) {
        self.frames = frames
        self.place = place
        self.way = way
        self.times = times
    }

    /// `{"frames":10,"place":"group","way":"end","times":3}`; `"times":"*"` is without end.
    init?(_ value: JSONValue) {
        guard let frames = value["frames"]?.int, frames > 0 else { return nil }
        self.init(frames: Int(frames))
        if let name = value["place"] {
            guard let place = name.string.flatMap({ Place(rawValue: $0) }) else { return nil }
            self.place = place
        }
        if let name = value["way"] {
            guard let way = name.string.flatMap({ Way(rawValue: $0) }) else { return nil }
            self.way = way
        }
        switch value["times"] {
        case nil: break
        case .string("*")?: times = nil
        case let count?:
            guard let count = count.int, count > 0 else { return nil }
            times = Int(count)
        }
    }
}
