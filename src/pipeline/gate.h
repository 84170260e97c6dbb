/* gate.h - how many items may be between the first link and the end.
 *
 * Latency is what is in flight times the time between two frames at the end (Little's law), so a limit on one is a limit on the
 * other.  For a live source that is faster than the chain, the right limit is the smallest that still keeps the slowest stage
 * busy:
 *
 *     limit = ceil(S / T + 1/4)      S  time of one frame through all stages, alone
 *                                    T  time between two frames: the slowest stage's, or the CPU time of a frame over the CPUs
 *
 * S and the stages' times are those of a few frames that are let through alone, at the start and every thousand frames: measured
 * under load they would contain the very waiting that the limit is to avoid, and the limit would creep up.
 */
#ifndef LEAT_PIPELINE_GATE_H
#define LEAT_PIPELINE_GATE_H

#include <stdint.h>

typedef struct leat__gate {
    _Atomic int in_flight, limit;
    int      adaptive, least, most; /* the range of an adaptive limit */
    int      probing, probes;       /* frames let through alone so far; under the first link's lock, as all below */
    uint64_t passed, look_after;    /* items since the last look; how many until the next one */
    int      cpus;
    int64_t  target_ns;
    int64_t  cpu_ns;                /* of the process at the last look */
} leat__gate;

/* What a look at the chain found. */
typedef struct leat__chain_times {
    int64_t sum_ns, slowest_ns; /* S; the slowest stage over its replicas and its batch */
} leat__chain_times;

/* limit > 0: fixed; 0: adaptive within [least, most], and no more than keeps the latency below target_ns (0 = none). */
void leat__gate_init(leat__gate *gate, int limit, int least, int most, int64_t target_ns);
/* How many of `want` items may pass now; *look = 1 when the probes are done: give leat__gate_look() the times, then ask again. */
int leat__gate_room(leat__gate *gate, int want, int *look);
/* n items pass; 1 when they are alone. */
int leat__gate_pass(leat__gate *gate, int n);
/* Sets the limit from the times of the probes. */
void leat__gate_look(leat__gate *gate, const leat__chain_times *times);

#endif
