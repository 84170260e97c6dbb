/* context_impl.h - what a leat_context is inside; shared by context.c and context_async.c. */
#ifndef LEAT_GRAPH_CONTEXT_IMPL_H
#define LEAT_GRAPH_CONTEXT_IMPL_H

#include <pthread.h>

#include "graph/model_impl.h"
#include "graph/plan.h"

/* The context's own thread for started runs. */
typedef struct leat_runner {
    pthread_t       thread;
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    int             created, requested, in_flight, quit;
    int             status;   /* of the last started run */
    leat_error      error;
} leat_runner;

struct leat_context {
    leat_model       *model;
    int               threads, profile, max_plans;
    const leat_value *keep;
    char             *keep_name;
    leat_tensor      *inputs;        /* [n_inputs] as bound; rank -1 = not yet */
    void            **input_data;    /* [n_inputs] what the plan reads: the caller's data or a padded copy */
    void            **copies;        /* [n_inputs] padded copies, for buffers whose tail may not be read */
    size_t           *copy_bytes;
    void            **bound;         /* [n_outputs] the caller's buffers */
    size_t           *bound_bytes;
    void            **direct;        /* [n_outputs] bound buffers that the plan may write into */
    leat_tensor      *results;       /* [n_outputs] of the last run */
    leat_plan       **plans;         /* [max_plans] */
    int               n_plans;
    leat_plan        *plan;          /* current */
    uint8_t          *arena;
    size_t            arena_bytes;
    uint64_t          clock;         /* of plan use */
    int               has_run;
    atomic_int        cancel;
    uint64_t          runs, run_allocations;
    int64_t           last_run_ns, prepare_ns;
    leat_runner       runner;
};

/* Runs on the calling thread, in flight or not. */
int leat__context_run(leat_context *context, leat_error *error);
/* Ends the context's thread after the run in flight, if there is one. */
void leat__runner_stop(leat_runner *runner);

#endif
