// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A simdjson DOM parser with its document and its padded copy buffer. One text at a time.
typedef struct sp_json_parser sp_json_parser;

/// Readable bytes that must follow a text which is parsed in place. Their content does not matter.
enum { SP_JSON_PADDING = 64 };

/// simdjson's `MEMALLOC`: nothing is wrong with the text.
enum { SP_JSON_OUT_OF_MEMORY = 2 };

/// NULL when memory is short. Containers with members nest at most `max_depth` deep.
sp_json_parser *sp_json_parser_new(size_t max_depth);
void sp_json_parser_free(sp_json_parser *parser);

/// Parses one text, in place when `has_padding` says that `SP_JSON_PADDING` readable bytes follow it, else from a copy.
/// 0 when the text is valid; any other value is simdjson's `error_code`. The last result is gone either way.
int sp_json_parse(sp_json_parser *parser, const uint8_t *bytes, size_t count, bool has_padding);

/// simdjson's DOM tape and string buffer, valid until the next parse:
/// https://github.com/simdjson/simdjson/blob/v3.0.1/doc/tape.md
const uint64_t *sp_json_tape(const sp_json_parser *parser);
const uint8_t *sp_json_strings(const sp_json_parser *parser);

/// Gives the buffers back; the next parse allocates again.
void sp_json_release(sp_json_parser *parser);

/// Writes `count` bytes of UTF-8 as the inside of a JSON string: quotes and backslashes escaped, control characters as
/// `\u00XX`. `target` has room for six times as many bytes and 32 more; up to 15 bytes behind the result are overwritten. Gives the
/// number of bytes written.
size_t sp_json_escape(uint8_t *target, const uint8_t *bytes, size_t count);

#ifdef __cplusplus
}
#endif
