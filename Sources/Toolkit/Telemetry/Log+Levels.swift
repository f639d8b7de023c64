// SPDX-License-Identifier: Apache-2.0

// Each field is an autoclosure of its own because Swift has no variadic autoclosures: at a level that is off, a call
// costs one comparison. A line with more than eight fields goes through `write(_:_:fields:)`.
extension Log {
    /// Anything that helps to follow the program. Off by default.
    public func debug(
        _ message: StaticString,
        _ first: @autoclosure () -> LogField? = nil, _ second: @autoclosure () -> LogField? = nil,
        _ third: @autoclosure () -> LogField? = nil, _ fourth: @autoclosure () -> LogField? = nil,
        _ fifth: @autoclosure () -> LogField? = nil, _ sixth: @autoclosure () -> LogField? = nil,
        _ seventh: @autoclosure () -> LogField? = nil, _ eighth: @autoclosure () -> LogField? = nil
    ) {
        guard isEnabled(.debug) else { return }
        let fields = [first(), second(), third(), fourth(), fifth(), sixth(), seventh(), eighth()]
        write(.debug, message, fields: fields.compactMap(\.self))
    }

    /// A milestone: started, connected, caught up, stopped.
    public func info(
        _ message: StaticString,
        _ first: @autoclosure () -> LogField? = nil, _ second: @autoclosure () -> LogField? = nil,
        _ third: @autoclosure () -> LogField? = nil, _ fourth: @autoclosure () -> LogField? = nil,
        _ fifth: @autoclosure () -> LogField? = nil, _ sixth: @autoclosure () -> LogField? = nil,
        _ seventh: @autoclosure () -> LogField? = nil, _ eighth: @autoclosure () -> LogField? = nil
    ) {
        guard isEnabled(.info) else { return }
        let fields = [first(), second(), third(), fourth(), fifth(), sixth(), seventh(), eighth()]
        write(.info, message, fields: fields.compactMap(\.self))
    }

    /// Something was handled or skipped, and counted.
    public func warning(
        _ message: StaticString,
        _ first: @autoclosure () -> LogField? = nil, _ second: @autoclosure () -> LogField? = nil,
        _ third: @autoclosure () -> LogField? = nil, _ fourth: @autoclosure () -> LogField? = nil,
        _ fifth: @autoclosure () -> LogField? = nil, _ sixth: @autoclosure () -> LogField? = nil,
        _ seventh: @autoclosure () -> LogField? = nil, _ eighth: @autoclosure () -> LogField? = nil
    ) {
        guard isEnabled(.warning) else { return }
        let fields = [first(), second(), third(), fourth(), fifth(), sixth(), seventh(), eighth()]
        write(.warning, message, fields: fields.compactMap(\.self))
    }

    /// Something that a person must act on.
    public func error(
        _ message: StaticString,
        _ first: @autoclosure () -> LogField? = nil, _ second: @autoclosure () -> LogField? = nil,
        _ third: @autoclosure () -> LogField? = nil, _ fourth: @autoclosure () -> LogField? = nil,
        _ fifth: @autoclosure () -> LogField? = nil, _ sixth: @autoclosure () -> LogField? = nil,
        _ seventh: @autoclosure () -> LogField? = nil, _ eighth: @autoclosure () -> LogField? = nil
    ) {
        guard isEnabled(.error) else { return }
        let fields = [first(), second(), third(), fourth(), fifth(), sixth(), seventh(), eighth()]
        write(.error, message, fields: fields.compactMap(\.self))
    }
}
