// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <endian.h>
#include <sqlite3.h>
#include <stdint.h>

// SQLITE_TRANSIENT is a cast in a macro, which Swift cannot import: wrappers that let SQLite take its own copy.
// An empty value stays a value: SQLite would read a null pointer as NULL.

static inline int sp_sqlite3_bind_blob(sqlite3_stmt *s, int index, const void *bytes, int count) {
    return count == 0 ? sqlite3_bind_zeroblob(s, index, 0) : sqlite3_bind_blob(s, index, bytes, count, SQLITE_TRANSIENT);
}

static inline int sp_sqlite3_bind_text(sqlite3_stmt *s, int index, const char *utf8, int count) {
    return sqlite3_bind_text(s, index, count == 0 ? "" : utf8, count, SQLITE_TRANSIENT);
}

/// Sixteen bytes given as two big-endian halves, without a round trip through memory on the Swift side.
static inline int sp_sqlite3_bind_halves(sqlite3_stmt *s, int index, uint64_t high, uint64_t low) {
    uint64_t bytes[2] = {htobe64(high), htobe64(low)};
    return sqlite3_bind_blob(s, index, bytes, sizeof bytes, SQLITE_TRANSIENT);
}
