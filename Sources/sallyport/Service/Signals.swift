// SPDX-License-Identifier: Apache-2.0

import Base
import Dispatch
import Engine

#if canImport(Glibc)
    import Glibc
#endif

/// SIGTERM and SIGINT raise a stop, SIGHUP asks for a reload.
final class Signals: Sendable {
    let stop = StopSignal()
    let reloads = BoundedChannel<Void>(capacity: 1)
    private let sources: Sources

    // Safe because: nobody touches the sources once they are resumed; they are only kept alive.
    private struct Sources: @unchecked Sendable {
        let all: [any DispatchSourceSignal]
    }

    init() {
        let queue = DispatchQueue(label: "signals")
        var sources: [any DispatchSourceSignal] = []
        for number in [SIGTERM, SIGINT] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { [stop] in
                // Asked twice: somebody has no patience for the orderly way.
                if stop.isRaised { _exit(ExitCode.interrupted.rawValue) }
                stop.raise()
            }
            source.resume()
            sources.append(source)
        }
        signal(SIGHUP, SIG_IGN)
        signal(SIGPIPE, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: queue)
        source.setEventHandler { [reloads] in _ = reloads.offer(()) }
        source.resume()
        sources.append(source)
        self.sources = Sources(all: sources)
    }
}
