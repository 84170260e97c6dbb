/* own_pipeline.c - a pipeline of the program's own stages: numbers are made, tested on two threads, and printed in order.
 *
 *     cc own_pipeline.c $(pkg-config --cflags --libs leat) -o own_pipeline && ./own_pipeline 30
 */
#include <leat/leat.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct number {
    long value;
    int  is_prime;
} number;

typedef struct range {
    long next, last;
} range;

/* The source: takes a buffer, fills it, sends it on, until there is no more. */
static int make(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    range     *r = user;
    leat_item *item;
    (void)items, (void)n, (void)error;
    if (r->next > r->last) return LEAT_EEND;
    int status = leat_stage_get(stage, &item);
    if (status != LEAT_OK) return status;
    *(number *)item->data = (number){.value = r->next++};
    return leat_stage_emit(stage, item);
}

/* A stage: works on the item in place and passes it on.  Two replicas run at once; the order is kept. */
static int test(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    number *it = items[0]->data;
    (void)user, (void)n, (void)error;
    it->is_prime = it->value > 1;
    for (long d = 2; d * d <= it->value && it->is_prime; d++) it->is_prime = it->value % d != 0;
    return leat_stage_emit(stage, leat_item_ref(items[0]));
}

/* The sink: what it does not pass on ends here. */
static int print(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    const number *it = items[0]->data;
    (void)stage, (void)user, (void)n, (void)error;
    if (it->is_prime) printf("%ld\n", it->value);
    return LEAT_OK;
}

static int add(leat_pipeline *p, leat_stage_options options, const char *name, int replicas, leat_error *error) {
    options.name = name;
    options.replicas = replicas;
    return leat_pipeline_add(p, &options, error);
}

int main(int argc, char **argv) {
    leat_pipeline      *p = NULL;
    leat_pool          *pool = NULL;
    leat_pool_options   pool_options;
    leat_stage_options  stage;
    leat_pipeline_stats stats;
    leat_error          error = {0};
    range               numbers = {1, argc > 1 ? atol(argv[1]) : 100};
    leat_pool_options_default(&pool_options);
    pool_options.item_bytes = sizeof(number);
    leat_stage_options_default(&stage);
    if (leat_pool_new(&pool_options, &pool) != LEAT_OK || leat_pipeline_open(NULL, &p, &error) != LEAT_OK) return 1;

    stage.process = make, stage.user = &numbers, stage.output.pool = pool;
    int status = add(p, stage, "make", 1, &error);
    stage.process = test, stage.output.pool = NULL;
    if (status == LEAT_OK) status = add(p, stage, "test", 2, &error);
    stage.process = print;
    if (status == LEAT_OK) status = add(p, stage, "print", 1, &error);
    if (status == LEAT_OK) status = leat_pipeline_start(p, &error);
    if (status == LEAT_OK) status = leat_pipeline_wait(p, -1, &error);

    if (status != LEAT_OK) fprintf(stderr, "own_pipeline: %s\n", error.message);
    else if (leat_pipeline_get_stats(p, &stats) == LEAT_OK)
        fprintf(stderr, "%llu numbers, %.0f a second, latency p99 %.3f ms\n", (unsigned long long)stats.done, stats.fps, stats.latency.p99_ms);
    leat_pipeline_close(p);
    leat_pool_unref(pool);
    return status == LEAT_OK ? 0 : 1;
}
