/* gate.c - the limit on what is in flight. */
#include "pipeline/gate.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "leat/common.h"

#define PROBES 3         /* frames alone: the shortest time of a stage counts */
#define LOOK_SOON 64     /* items until the second look, the first that knows the CPU time of a frame */
#define LOOK_LATER 1024  /* items between the later ones: they cost less than half a percent of the frames */

void leat__gate_init(leat__gate *gate, int limit, int least, int most, int64_t target_ns) {
    *gate = (leat__gate){.adaptive = limit == 0, .least = least, .most = most < least ? least : most, .probing = limit == 0,
                         .look_after = LOOK_SOON, .cpus = leat_cpu_count(), .target_ns = target_ns};
    atomic_init(&gate->limit, limit == 0 ? least : limit);
}

int leat__gate_room(leat__gate *gate, int want, int *look) {
    int in_flight = atomic_load(&gate->in_flight);
    *look = gate->probing && in_flight <= 0 && gate->probes >= PROBES;
    if (*look) return 0;
    if (gate->probing && in_flight > 0 && gate->probes > 0) return 0; /* a probe runs alone, whatever the least limit is */
    int room = atomic_load_explicit(&gate->limit, memory_order_relaxed) - in_flight;
    return room < 0 ? 0 : room < want ? room : want;
}

int leat__gate_pass(leat__gate *gate, int n) {
    int before = atomic_fetch_add(&gate->in_flight, n);
    if (!gate->adaptive) return 0;
    gate->passed += (uint64_t)n;
    if (!gate->probing && gate->passed >= gate->look_after) {
        gate->probing = 1;
        atomic_store_explicit(&gate->limit, gate->least, memory_order_relaxed);
    }
    if (!gate->probing || before > 0) return 0;
    gate->probes++;
    return 1;
}

/* CPU time of a frame over the CPUs, since the last look: the bound on T when the machine, not a stage, is full. */
static int64_t cpu_bound(leat__gate *gate) {
    int64_t cpu = leat__cpu_ns(), used = cpu - gate->cpu_ns;
    uint64_t passed = gate->passed;
    gate->cpu_ns = cpu;
    gate->passed = 0;
    if (passed < LOOK_SOON) return 0; /* the first look: the CPU time of opening and warming up says nothing */
    gate->look_after = LOOK_LATER;
    return used / (int64_t)passed / gate->cpus;
}

void leat__gate_look(leat__gate *gate, const leat__chain_times *times) {
    int64_t period = cpu_bound(gate);
    gate->probing = gate->probes = 0;
    if (times->slowest_ns > period) period = times->slowest_ns;
    int64_t limit = period <= 0 ? gate->most : (times->sum_ns + period / 4 + period - 1) / period;
    int64_t kept = gate->target_ns - period / 2; /* a frame may be half a period old when it is let in */
    if (gate->target_ns > 0 && period > 0 && limit > kept / period) limit = kept / period;
    if (limit < gate->least) limit = gate->least;
    if (limit > gate->most) limit = gate->most;
    atomic_store_explicit(&gate->limit, (int)limit, memory_order_relaxed);
}
