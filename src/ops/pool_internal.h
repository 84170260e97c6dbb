/* pool_internal.h - state of the pooling operators. */
#ifndef LEAT_OPS_POOL_INTERNAL_H
#define LEAT_OPS_POOL_INTERNAL_H

#include "cpu/pool.h"
#include "ops/window.h"

#define LIST_MAX 64 /* rows handed to a kernel at once */

typedef enum { POOL_MAX, POOL_AVERAGE, POOL_LP } pool_kind;

typedef struct {
    leat_window w;
    int         include_pad, column_major;
    int64_t     p; /* LpPool */
} pool_state;

#endif
