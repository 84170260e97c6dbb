/* packs.h - weights in the kernels' own layout: made once for a model, shared by every context and plan.
 *
 * A pack is named by (constant's data, operator, variant, bytes).  The first caller fills it while others that want any pack wait;
 * packs live until the model goes.  After a fill the file's pages under the constant are given back to the OS.
 */
#ifndef LEAT_GRAPH_PACKS_H
#define LEAT_GRAPH_PACKS_H

#include <pthread.h>

#include "base/file.h"
#include "ops/op.h"

typedef struct leat_pack leat_pack;
typedef struct leat_packs {
    pthread_mutex_t     lock;
    leat_pack         **buckets;
    size_t              n_buckets, n_packs;
    uint64_t            bytes;
    const leat_mapping *maps; /* of the model: pages inside may be released */
    int                 n_maps;
} leat_packs;

int leat__packs_init(leat_packs *packs, const leat_mapping *maps, int n_maps);
void leat__packs_fini(leat_packs *packs);
/* The service of leat_op_services.pack; `source` is the constant tensor of `key` (for its size) or NULL. */
const void *leat__packs_get(leat_packs *packs, const leat_op *op, const void *key, const leat_tensor *source, uint64_t variant,
                            size_t bytes, void (*fill)(void *block, void *arg), void *arg);
/* Aligned copies of constants that lie unaligned in the file: the copy of data `raw`, or NULL; and handing one over to the table
 * (takes `copy`, also if that fails). */
void *leat__packs_find_copy(leat_packs *packs, const void *raw);
int leat__packs_keep_copy(leat_packs *packs, const leat_tensor *constant, void *copy);
uint64_t leat__packs_bytes(leat_packs *packs);

#endif
