// SPDX-License-Identifier: Apache-2.0

import Base
public import Engine
public import HarfangLab

/// `check` of a HarfangLab console: that it answers, and whose token it is. Reads only.
public struct ConsoleCheck: Sendable {
    private let console: HarfangLabClient

    public init(_ console: HarfangLabClient) { self.console = console }

    public func run(_ report: @Sendable (CheckLine) -> Void) async {
        do throws(HarfangLabError) {
            let version = try await console.version()
            report(.init(.ok, "harfanglab", "HarfangLab \(version ?? "of unknown version") answers."))
        } catch {
            report(.init(.problem, error.code.text, error.description, isRemote: true))
            return
        }
        do throws(HarfangLabError) {
            let user = try await console.me()
            report(.init(.ok, "harfanglab.token", "The token belongs to “\(user ?? "an unnamed user")”."))
        } catch {
            report(.init(.warning, error.code.text, error.description, isRemote: true))
        }
    }
}
