/* pipeline_impl.h - a pipeline from the inside: stages, their replicas, the order of what they emit.
 *
 *     links[i] is the input of stage i; links[0] exists with options.push, links[n_stages] with options.pull.
 *
 * Who writes what: a replica's record is written by its own thread with relaxed atomics and read by anybody (telemetry); a
 * stage's turn is under its own monitor; the pipeline's state under the pipeline's.  No lock is held while a callback, a put or a
 * take waits.
 *
 * Order.  Each call of take hands its replica a ticket.  With one replica items go straight on.  With k, what a call emits is
 * kept in the replica until the call is over, then laid into the slot of its ticket; whoever finds the slot of the next ticket
 * filled sends it on, and those after it.  Only `window` tickets are let out at once, so slots are bounded.  A call that emits
 * more than its slot holds waits for its turn and then sends straight on.
 */
#ifndef LEAT_PIPELINE_IMPL_H
#define LEAT_PIPELINE_IMPL_H

#include "pipeline/event_ring.h"
#include "pipeline/gate.h"
#include "pipeline/histogram.h"
#include "pipeline/link.h"
#include "pipeline/throttle.h"
#include "pipeline/turnstile.h"

typedef struct leat__slot {
    int         filled, n;
    leat_item **items; /* [stage.hold] */
} leat__slot;

typedef struct leat__stage leat__stage;

/* A replica's record: one writer. */
typedef struct leat__record {
    _Atomic uint64_t calls, items_in, items_out, filtered, allocations, call_ns;
    _Atomic int64_t  signalled_ns, started_ns, finished_ns, worst_delay_ns;
    _Atomic int64_t  cpu_ns; /* of its thread once that has ended, -1 before */
    leat__histogram  run, starved, blocked, latency;
} leat__record;

struct leat_stage {
    leat__stage  *stage;
    leat_pipeline *pipeline;
    int           index;
    void         *state;
    pthread_t     thread;
    int           opened, started;
    leat__entry  *in;      /* [batch] what take() gave */
    leat_item   **items;   /* [batch] the same for process() */
    int           n;       /* of the call in progress */
    int           measured, alone; /* the call's items are */
    int64_t       frame;   /* a source's last item */
    uint64_t      ticket;
    leat_item   **held;    /* [hold] what the call emitted and that waits for its turn */
    int           n_held, emitted, direct;
    int64_t       asked_ns;  /* when it began to wait for this call's input */
    int64_t       waited_ns; /* of the call, in emit() and get() */
    int64_t       spin_ns;   /* how long it looks for work before it sleeps: less while that does not help */
    uint32_t      dry_spins;
    leat__event_ring events;
    leat__rider   rider;
    leat__record  record;
};

struct leat__stage {
    leat_pipeline     *pipeline;
    leat_stage_options options;
    char               name[32];
    int                index;
    leat__link        *input, *output; /* or NULL */
    leat_stage        *replicas;       /* [options.replicas] */
    _Atomic int        running;        /* replicas whose thread has not ended */
    _Atomic int        failed;
    _Atomic int64_t    alone_ns;       /* shortest process() call on an idle machine, of the gate's last look */
    int                hold, window;   /* with several replicas: items of a slot, tickets out at once */
    leat__monitor      turn;
    leat__slot        *slots;          /* [window] */
    leat_item        **slot_items;     /* [window * hold] */
    int                sending;        /* somebody sends slots on, or sends straight */
    _Atomic uint64_t   next;           /* the ticket whose turn it is */
    uint64_t           end;            /* tickets from here on are discarded */
};

/* Counters of the process when the warm-up was over, and when the run was. */
typedef struct leat__mark {
    _Atomic int64_t  at_ns, cpu_ns;
    _Atomic uint64_t allocations, hot_allocations;
} leat__mark;

struct leat_pipeline {
    leat_pipeline_options options;
    int           n_stages, n_links, first_link; /* links[first_link] is the gated one */
    leat__stage  *stages[LEAT_PIPELINE_MAX_STAGES];
    leat__link   *links[LEAT_PIPELINE_MAX_STAGES + 1];
    leat__gate    gate;
    leat__turnstile turnstile;
    leat__throttle throttle;
    leat__monitor monitor;
    _Atomic int   state;      /* leat__state; changes under the monitor */
    int           stages_running;
    int           failure;    /* under the monitor: status of the first failure, and what it said */
    leat_error    failure_error;
    _Atomic int   cancelled, finishing, ended_before; /* stages below this index are to stop: one behind them ended early */
    _Atomic int   measuring;
    _Atomic uint64_t sources, skipped, done, lost; /* lost: with the call that failed */
    leat__histogram latency;  /* of get() */
    _Atomic int64_t last_done_ns, started_ns;
    leat__mark    from, to;
    /* the last frames: end time and latency, written by whoever ends a frame */
    _Atomic uint64_t window_next;
    _Atomic int64_t *window_end, *window_latency; /* [options.window] */
    double          *window_scratch;              /* under window_lock */
    pthread_mutex_t  window_lock;
    int64_t          report_at_ns;                /* the waiting thread's; survives waits that time out */
};

typedef enum leat__state { LEAT__BUILDING, LEAT__RUNNING, LEAT__ENDED, LEAT__JOINED, LEAT__BROKEN } leat__state;

/* replica.c: a replica's thread */
void *leat__replica_main(void *replica);
/* emit.c: sending on in order */
int  leat__emit_settle(leat_stage *replica, int status); /* after a call: lays its items into their slot, LEAT_EEND when nobody wants more */
void leat__emit_retire(leat_pipeline *p, int n);         /* n items are no longer in flight */
/* halt.c: ends of all kinds */
void leat__halt_fail(leat_stage *replica, int status, const leat_error *error);
void leat__halt_upstream(leat__stage *stage); /* the stage takes no more: those before it stop */
int  leat__halt_stopping(const void *replica);
/* Waits until the time, or until the replica's stage is to stop; 0 in the latter case. */
int  leat__halt_sleep(leat_stage *replica, int64_t until_ns);
/* assemble.c: links, replicas and rings, from the options; closing what it made */
int  leat__assemble_make(leat_pipeline *p, leat_error *error);
void leat__assemble_free(leat_pipeline *p);
/* telemetry.c */
void leat__note_done(leat_pipeline *p, leat__histogram *latency, const leat_item *item);
void leat__mark_now(leat__mark *mark);
/* send_get.c: numbers and stamps an item that comes in, and asks the throttle; a skipped one is counted */
leat__admission leat__admit(leat_pipeline *p, leat_item *item, int64_t now_ns, int64_t *until_ns);

#endif
