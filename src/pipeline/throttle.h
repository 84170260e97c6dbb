/* throttle.h - which frames are let in, decided before the first link.
 *
 * Every n-th frame, at most so many a second, and an adaptive gap that grows while frames take longer than the latency target and
 * shrinks again while they are well below it.  Pure arithmetic on the times it is given.
 */
#ifndef LEAT_PIPELINE_THROTTLE_H
#define LEAT_PIPELINE_THROTTLE_H

#include <stdint.h>

typedef enum leat__admission { LEAT__PASS, LEAT__SKIP, LEAT__WAIT } leat__admission;

typedef struct leat__throttle {
    int      skips;            /* 1: a frame that comes too early is skipped; 0: it is held back */
    int      every_nth;
    int64_t  gap_ns;           /* of max_fps, 0 = none */
    int64_t  target_ns;        /* latency, 0 = off */
    uint64_t seen;             /* frames offered */
    int64_t  due_ns;           /* the next frame's place in the rate's schedule */
    int64_t  offered_ns;       /* when the last frame was offered */
    _Atomic int64_t offer_gap_ns; /* mean time between offers */
    _Atomic int64_t adaptive_ns;  /* gap that the latency asks for, 0 = none */
    _Atomic int64_t adapted_ns;   /* when it was last widened */
    _Atomic int64_t latency_ns, spread_ns; /* of the last frames: mean and mean deviation */
} leat__throttle;

/* max_fps 0, every_nth 0 and target_ns 0 switch the parts off. */
void leat__throttle_init(leat__throttle *t, int live, double max_fps, int every_nth, int64_t target_ns);
/* What is to happen to a frame offered at now_ns: pass it (then call _passed), skip it (it has been counted), or wait until
 * *until_ns and ask again. */
leat__admission leat__throttle_ask(leat__throttle *t, int64_t now_ns, int64_t *until_ns);
void leat__throttle_passed(leat__throttle *t, int64_t now_ns);
/* A frame came out at now_ns after latency_ns.  Any thread. */
void leat__throttle_feedback(leat__throttle *t, int64_t now_ns, int64_t latency_ns);

#endif
