// SPDX-License-Identifier: Apache-2.0
#define SIMDJSON_EXCEPTIONS 0
#include "CSimdjson.h"

#include <cstring>
#include <memory>
#include <new>
#include <simdjson.h>

using simdjson::error_code;

static_assert(SP_JSON_PADDING == simdjson::SIMDJSON_PADDING, "the header promises the library's padding");
static_assert(SP_JSON_OUT_OF_MEMORY == simdjson::MEMALLOC, "the header promises the library's code");

struct sp_json_parser {
    // The library refuses when the depth counter *reaches* the limit.
    explicit sp_json_parser(size_t max_depth) noexcept : max_depth(max_depth + 1) {}

    simdjson::dom::parser dom;
    size_t max_depth;
    std::unique_ptr<uint8_t[]> copy;
    size_t copy_capacity = 0;

    // Left to itself the library allocates the exact size again for every text that is a little longer than the last.
    error_code reserve(size_t count) noexcept {
        if (dom.capacity() >= count && dom.doc.capacity() >= count) { return simdjson::SUCCESS; }
        size_t capacity = 4096;
        while (capacity < count) { capacity *= 2; }
        if (error_code error = dom.doc.allocate(capacity)) { return error; }
        return dom.allocate(capacity, max_depth);
    }

    const uint8_t *padded(const uint8_t *bytes, size_t count) noexcept {
        if (!copy || copy_capacity < count) {
            copy_capacity = 0;
            copy.reset(new (std::nothrow) uint8_t[dom.capacity() + SP_JSON_PADDING]());
            if (!copy) { return nullptr; }
            copy_capacity = dom.capacity();
        }
        if (count > 0) { std::memcpy(copy.get(), bytes, count); }
        return copy.get();
    }
};

sp_json_parser *sp_json_parser_new(size_t max_depth) { return new (std::nothrow) sp_json_parser(max_depth); }

void sp_json_parser_free(sp_json_parser *parser) { delete parser; }

int sp_json_parse(sp_json_parser *parser, const uint8_t *bytes, size_t count, bool has_padding) {
    if (error_code error = parser->reserve(count)) { return error; }
    if (!has_padding) {
        bytes = parser->padded(bytes, count);
        if (!bytes) { return simdjson::MEMALLOC; }
    }
    return parser->dom.parse(bytes, count, false).error();
}

const uint64_t *sp_json_tape(const sp_json_parser *parser) { return parser->dom.doc.tape.get(); }

const uint8_t *sp_json_strings(const sp_json_parser *parser) { return parser->dom.doc.string_buf.get(); }

void sp_json_release(sp_json_parser *parser) {
    parser->dom = simdjson::dom::parser();
    parser->copy.reset();
    parser->copy_capacity = 0;
}
