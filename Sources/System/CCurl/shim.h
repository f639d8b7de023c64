// SPDX-License-Identifier: Apache-2.0
// What Swift cannot call or see: libcurl's variadic functions. One wrapper per argument shape, nothing else.
#pragma once
#include <curl/curl.h>

static inline CURLcode sp_curl_set_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode sp_curl_set_size(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode sp_curl_set_string(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode sp_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode sp_curl_set_list(CURL *handle, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(handle, option, value);
}
/// libcurl copies `size` bytes.
static inline CURLcode sp_curl_set_blob(CURL *handle, CURLoption option, const void *bytes, size_t size) {
    struct curl_blob blob = {.data = (void *)bytes, .len = size, .flags = CURL_BLOB_COPY};
    return curl_easy_setopt(handle, option, &blob);
}
/// CURLOPT_WRITEFUNCTION, _HEADERFUNCTION and _READFUNCTION share one shape.
typedef size_t (*sp_curl_data_callback)(char *data, size_t size, size_t count, void *context);
static inline CURLcode sp_curl_set_callback(CURL *handle, CURLoption option, sp_curl_data_callback value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode sp_curl_set_seek(CURL *handle, curl_seek_callback value) {
    return curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, value);
}
static inline CURLcode sp_curl_get_long(CURL *handle, CURLINFO info, long *value) {
    return curl_easy_getinfo(handle, info, value);
}
static inline CURLcode sp_curl_get_size(CURL *handle, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(handle, info, value);
}
static inline CURLMcode sp_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}
