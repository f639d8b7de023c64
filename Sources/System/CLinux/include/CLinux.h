// SPDX-License-Identifier: Apache-2.0
// What glibc hides from Swift: variadic functions, macros and names behind _GNU_SOURCE.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Names the calling thread (at most 15 bytes are kept).
void sp_name_this_thread(const char *name);
/// Keeps malloc to `arenas` arenas, and gives blocks of `large` bytes and more back to the kernel when they are freed;
/// call before the first thread starts.
void sp_bound_malloc(int arenas, int large);
/// Gives pages of the heap that hold nothing any more back to the kernel, also those between pages that do.
void sp_trim_heap(void);
/// Lets go of the pages of program and libraries that nobody has written to, most of which only the start needed: what is
/// used again comes back from the page cache by itself.
void sp_forget_start(void);
/// Forbids core dumps and ptrace by other users, so that secrets in memory stay there.
void sp_forbid_core_dumps(void);
/// Position of the last `byte` in `size` bytes at `data`, or -1.
ptrdiff_t sp_last_index_of(const void *data, int byte, size_t size);
/// The kind of file system that holds `path` (the magic numbers of linux/magic.h); -1 when it can't be told.
long sp_file_system_kind(const char *path);
/// A descriptor (non-blocking eventfd) by which a thread is woken from `poll`; -1 when there are no more.
int sp_wake_descriptor(void);

/// A new file below `folder` for this user alone that has no name (O_TMPFILE), or loses it at once where the file system
/// knows no such files; -1 on failure.
int sp_nameless_file(const char *folder);
