// SPDX-License-Identifier: Apache-2.0
#include "CSimdjson.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

inline uint8_t *escape_byte(uint8_t *target, uint8_t byte) {
    static const char digits[] = "0123456789abcdef";
    if (byte == '"' || byte == '\\') {
        *target++ = '\\';
        *target++ = byte;
    } else if (byte < 0x20) {
        std::memcpy(target, "\\u00", 4);
        target[4] = static_cast<uint8_t>(digits[byte >> 4]);
        target[5] = static_cast<uint8_t>(digits[byte & 15]);
        target += 6;
    } else {
        *target++ = byte;
    }
    return target;
}

size_t escape_bytes(uint8_t *target, const uint8_t *bytes, size_t count) {
    uint8_t *out = target;
    for (size_t at = 0; at < count; ++at) { out = escape_byte(out, bytes[at]); }
    return static_cast<size_t>(out - target);
}

#if defined(__x86_64__)
// For each set of bytes to escape among eight: which input byte goes to which of sixteen places. 0x80 gives zero, and the
// backslash is or-ed in there. Events are one eighth quotes, so a loop that stops at each of them is twice as slow.
struct Shuffles {
    alignas(16) uint8_t places[256][16];
    alignas(16) uint8_t slashes[256][16];
    uint8_t lengths[256];

    Shuffles() {
        for (int mask = 0; mask < 256; ++mask) {
            int out = 0;
            std::memset(places[mask], 0x80, 16);
            std::memset(slashes[mask], 0, 16);
            for (int byte = 0; byte < 8; ++byte) {
                if (mask >> byte & 1) { slashes[mask][out++] = '\\'; }
                places[mask][out++] = static_cast<uint8_t>(byte);
            }
            lengths[mask] = static_cast<uint8_t>(out);
        }
    }
};

__attribute__((target("ssse3"))) size_t escape_shuffling(uint8_t *target, const uint8_t *bytes, size_t count) {
    static const Shuffles shuffles;
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i slash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1F);
    uint8_t *out = target;
    size_t at = 0;
    for (; at + 16 <= count; at += 16) {
        const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i *>(bytes + at));
        const __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(text, control), text);
        if (_mm_movemask_epi8(controls) != 0) {
            for (size_t byte = 0; byte < 16; ++byte) { out = escape_byte(out, bytes[at + byte]); }
            continue;
        }
        const unsigned mask = static_cast<unsigned>(
            _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(text, quote), _mm_cmpeq_epi8(text, slash))));
        if (mask == 0) {
            _mm_storeu_si128(reinterpret_cast<__m128i *>(out), text);
            out += 16;
            continue;
        }
        const unsigned low = mask & 0xFF;
        const unsigned high = mask >> 8;
        const __m128i first = _mm_or_si128(
            _mm_shuffle_epi8(text, _mm_load_si128(reinterpret_cast<const __m128i *>(shuffles.places[low]))),
            _mm_load_si128(reinterpret_cast<const __m128i *>(shuffles.slashes[low])));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(out), first);
        out += shuffles.lengths[low];
        const __m128i second = _mm_or_si128(
            _mm_shuffle_epi8(
                _mm_srli_si128(text, 8), _mm_load_si128(reinterpret_cast<const __m128i *>(shuffles.places[high]))),
            _mm_load_si128(reinterpret_cast<const __m128i *>(shuffles.slashes[high])));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(out), second);
        out += shuffles.lengths[high];
    }
    out += escape_bytes(out, bytes + at, count - at);
    return static_cast<size_t>(out - target);
}
#endif

}  // namespace

size_t sp_json_escape(uint8_t *target, const uint8_t *bytes, size_t count) {
#if defined(__x86_64__)
    static const bool can_shuffle = __builtin_cpu_supports("ssse3");
    if (can_shuffle) { return escape_shuffling(target, bytes, count); }
#endif
    return escape_bytes(target, bytes, count);
}
