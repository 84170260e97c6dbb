/* gguf_impl.h - the file object behind include/leat/gguf.h. */
#ifndef LEAT_LM_GGUF_IMPL_H
#define LEAT_LM_GGUF_IMPL_H

#include "base/arena.h"
#include "base/file.h"
#include "cpu/blocks.h"
#include "leat/gguf.h"

struct leat_gguf {
    leat_mapping       mapping; /* or copy; empty when the bytes are borrowed */
    const uint8_t     *data;
    size_t             bytes;
    leat_arena         arena;   /* the tables and names below */
    leat_gguf_info     info;
    leat_gguf_value   *values;  /* [info.values], in the file's order */
    leat_gguf_tensor  *tensors; /* [info.tensors] */
    uint64_t          *offsets; /* [info.tensors], of the data, from its start */
    leat_gguf_value  **by_key;  /* sorted */
    leat_gguf_tensor **by_name; /* sorted */
};

/* leat_gguf_open(); own: the file is read into the process's own memory instead of mapped. */
int leat__gguf_open(const char *path, int own, leat_gguf **file, leat_error *error);
/* Bytes of a number of this kind; 0 for strings and arrays. */
int leat__gguf_kind_bytes(leat_gguf_kind kind);

#endif
