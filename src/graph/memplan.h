/* memplan.h - the memory planner: lifetimes in, offsets out; a pure function.
 *
 * Each request is a block of `bytes` that is needed from step `first` to step `last`, both included.  Blocks whose lifetimes meet
 * never overlap.  Greedy by size: the largest block first, each at the lowest offset that is free for its whole life
 * (Pisarchyk and Lee, 2020, "greedy by size"), which is within a few per cent of the lower bound on real networks.
 */
#ifndef LEAT_GRAPH_MEMPLAN_H
#define LEAT_GRAPH_MEMPLAN_H

#include <stddef.h>

typedef struct leat_memreq {
    size_t bytes;       /* in */
    int    first, last; /* in; first <= last */
    size_t offset;      /* out, multiple of LEAT_ALIGN; every block keeps LEAT_TAIL_BYTES behind it inside the total */
} leat_memreq;

/* Fills the offsets of requests [n]; *total = bytes of the arena.  LEAT_ENOMEM, LEAT_ELIMIT on overflow. */
int leat__memplan(leat_memreq *requests, int n, size_t *total);
/* Largest sum of bytes alive at one step: no plan can be smaller. */
size_t leat__memplan_lower_bound(const leat_memreq *requests, int n);

#endif
