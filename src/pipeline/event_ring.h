/* event_ring.h - what one thread did lately: a ring of fixed size, written by that thread only, read when it has ended. */
#ifndef LEAT_PIPELINE_EVENT_RING_H
#define LEAT_PIPELINE_EVENT_RING_H

#include <stdint.h>

typedef enum leat__event_kind { LEAT__EVENT_CALL, LEAT__EVENT_BLOCKED, LEAT__EVENT_DROP, LEAT__EVENT_SKIP } leat__event_kind;

typedef struct leat__event {
    int64_t start_ns, span_ns;
    int64_t frame;        /* index of the first item, -1 = none */
    int32_t n;            /* items of the call */
    int16_t depth;        /* left in the input's queue when the call took its items, -1 = no queue */
    int16_t kind;
} leat__event;

typedef struct leat__event_ring {
    leat__event *events; /* [capacity], NULL = off */
    uint64_t     written;
    int          capacity;
} leat__event_ring;

static inline void leat__event_add(leat__event_ring *ring, leat__event event) {
    if (ring->capacity > 0) ring->events[ring->written++ % (uint64_t)ring->capacity] = event;
}

#endif
