// SPDX-License-Identifier: Apache-2.0

import Base

#if canImport(Glibc)
    import Glibc
#endif

/// The `process_*` series that every Prometheus client library offers, read from the kernel at exposition.
public enum ProcessMetrics {
    public static func register(in metrics: Metrics) {
        metrics.collect(
            "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", .counter,
            value: cpuSeconds)
        metrics.collect(
            "process_resident_memory_bytes", "Resident memory size in bytes.", value: { pages(1) })
        metrics.collect("process_virtual_memory_bytes", "Virtual memory size in bytes.", value: { pages(0) })
        metrics.collect("process_open_fds", "Number of open file descriptors.", value: openDescriptors)
        metrics.collect("process_max_fds", "Maximum number of open file descriptors.", value: maxDescriptors)
        let start = startSeconds()
        metrics.collect(
            "process_start_time_seconds", "Start time of the process since unix epoch in seconds.", value: { start })
    }

    private static func cpuSeconds() -> Double? {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return nil }
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    /// A column of `/proc/self/statm`, which counts pages.
    private static func pages(_ column: Int) -> Double? {
        let columns = read("/proc/self/statm").split(separator: " ")
        guard column < columns.count, let count = Double(columns[column]) else { return nil }
        return count * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func openDescriptors() -> Double? {
        // Without the descriptor of this very listing.
        fileNames(in: "/proc/self/fd").map { Double(max(0, $0.count - 1)) }
    }

    private static func maxDescriptors() -> Double? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return Double(limit.rlim_cur)
    }

    private static func startSeconds() -> Double? {
        // The command's name, in brackets, may hold blanks: count the columns after it. Start is the 22nd, in ticks.
        let status = read("/proc/self/stat")
        guard let bracket = status.lastIndex(of: ")") else { return nil }
        let columns = status[bracket...].split(separator: " ")
        let boot = read("/proc/stat").split(separator: "\n").first { $0.hasPrefix("btime ") }?.dropFirst(6)
        guard columns.count > 20, let ticks = Double(columns[20]), let boot, let booted = Double(boot) else {
            return nil
        }
        return booted + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private static func read(_ path: String) -> String {
        String(decoding: (try? readFile(path, atMost: 1 << 20)) ?? [], as: UTF8.self)
    }
}
