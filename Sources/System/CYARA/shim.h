// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <yara.h>

// A null pointer for the include callback makes libyara refuse every `include`. Its typedef has a const member that Swift
// imports as non-optional, hence this wrapper.
static inline void sp_yara_refuse_includes(YR_COMPILER *compiler) {
    yr_compiler_set_include_callback(compiler, NULL, NULL, NULL);
}

// The rules of a compiled set are walked by macros.
static inline YR_RULE *sp_yara_rule(YR_RULES *rules, uint32_t index) {
    return index < rules->num_rules ? &rules->rules_table[index] : NULL;
}
static inline const char *sp_yara_name(const YR_RULE *rule) { return rule->identifier; }
