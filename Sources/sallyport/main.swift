// SPDX-License-Identifier: Apache-2.0

import CLinux

#if canImport(Glibc)
    import Glibc
#endif

// Before the first thread: memory stays flat, and secrets in it stay there.
sp_bound_malloc(2, 256 << 10)
sp_forbid_core_dumps()

exit(await CommandLineProgram(.sallyport).run(Array(CommandLine.arguments.dropFirst())).rawValue)
