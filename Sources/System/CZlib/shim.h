// SPDX-License-Identifier: Apache-2.0
// The init functions are macros over versioned names, which Swift cannot see.
#pragma once
#include <zlib.h>

/// Window bits of 15 + 16 make a gzip stream.
static inline int sp_deflate_init_gzip(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

/// Window bits of 15 + 32 read gzip and zlib streams alike.
static inline int sp_inflate_init_any(z_stream *stream) { return inflateInit2(stream, 15 + 32); }

/// Raw deflate data, which some servers send under the name "deflate".
static inline int sp_inflate_init_raw(z_stream *stream) { return inflateInit2(stream, -15); }

/// Raw deflate data, as it stands in zip archives.
static inline int sp_deflate_init_raw(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
}
