// SPDX-License-Identifier: Apache-2.0

import CLinux

#if canImport(Glibc)
    import Glibc
#endif

let arguments = Array(CommandLine.arguments.dropFirst())
// Before the first thread: memory stays flat, and secrets in it stay there. Simulators may keep what they have: giving
// each large body back to the system costs them more than taking it in.
if arguments.first != "simulate" { sp_bound_malloc(2, 256 << 10) }
sp_forbid_core_dumps()

exit(await CommandLineProgram(.sallyport).run(arguments).rawValue)
