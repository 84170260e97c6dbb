/* onnx_names.c - name tables of the ONNX reader: open addressing, at most half full. */
#include <string.h>

#include "graph/onnx_internal.h"

/* Multiply-xorshift over 8 bytes at a time; names are short. */
static uint64_t hash_name(const char *name, size_t length) {
    uint64_t hash = 0x9e3779b97f4a7c15ull ^ length;
    for (size_t i = 0; i < length; i += 8) {
        uint64_t word = 0;
        memcpy(&word, name + i, length - i < 8 ? length - i : 8);
        hash = (hash ^ word) * 0xff51afd7ed558ccdull;
        hash ^= hash >> 32;
    }
    return hash;
}

static leat_name_entry *probe(const leat_names *names, const char *name, size_t length, uint64_t hash) {
    for (size_t i = hash & (names->capacity - 1);; i = (i + 1) & (names->capacity - 1)) {
        leat_name_entry *entry = &names->entries[i];
        if (!entry->name) return entry;
        if (entry->hash == hash && entry->length == length && memcmp(entry->name, name, length) == 0) return entry;
    }
}

leat_name_entry *leat__names_find(const leat_names *names, const char *name, size_t length) {
    if (names->capacity == 0) return NULL;
    leat_name_entry *entry = probe(names, name, length, hash_name(name, length));
    return entry->name ? entry : NULL;
}

static int grow(leat_names *names) {
    leat_names larger = {names->arena, NULL, names->capacity ? names->capacity * 2 : 64, names->count};
    larger.entries = leat__arena_calloc(names->arena, larger.capacity, sizeof *larger.entries);
    if (!larger.entries) return 0;
    for (size_t i = 0; i < names->capacity; i++) {
        const leat_name_entry *entry = &names->entries[i];
        if (entry->name) *probe(&larger, entry->name, entry->length, entry->hash) = *entry;
    }
    *names = larger;
    return 1;
}

int leat__names_add(leat_names *names, const char *name, size_t length, void *item) {
    if (names->count * 2 >= names->capacity && !grow(names)) return 0;
    uint64_t hash = hash_name(name, length);
    *probe(names, name, length, hash) = (leat_name_entry){name, length, hash, item};
    names->count++;
    return 1;
}
