/* optimize.c - the order of the passes.
 *
 *   1. widen        halves become float32 (once, before shapes are asked for)
 *   2. clean        fold, tidy, merge equal nodes, cancel transposes; shapes are inferred after the first round, because only folded
 *                   constants give them, and again while they make more to fold; repeated until nothing changes
 *   3. fuse         activations, norms, the affine arithmetic around convolutions, convolutions, matrix products, attention;
 *                   repeated, since one fusion uncovers the next
 *   4. block        inverted residuals of fused convolutions, transposes that layout will make free
 *   5. layout       last, because every other pass reasons in logical order
 *
 * Inner graphs (If, Loop, Scan bodies) go through 2 and 3 like the main one; layout is for the main graph only.
 */
#include "graph/optimize.h"

#include "graph/pass.h"
#include "graph/trace.h"
#include "leat/model.h"

#define MAX_ROUNDS 8 /* each round needs a change to follow, so this only bounds a quarrel between two rewrites */

typedef int (*pass_fn)(leat_pass *pass);

/* Runs the passes of a NULL-ended list over `graph`, then over its inner graphs. */
static int run_passes(leat_pass *pass, leat_graph *graph, const pass_fn *list) {
    int status = LEAT_OK;
    for (const pass_fn *fn = list; *fn && status == LEAT_OK; fn++) {
        pass->graph = graph;
        status = (*fn)(pass);
    }
    leat__graph_compact(graph);
    for (int n = 0; n < graph->n_nodes && status == LEAT_OK; n++)
        for (int a = 0; a < graph->nodes[n]->attrs.n && status == LEAT_OK; a++)
            if (graph->nodes[n]->attrs.list[a].type == LEAT_ATTR_GRAPH)
                status = run_passes(pass, graph->nodes[n]->attrs.list[a].graph, list);
    return status;
}

static int run_round(leat_pass *pass, const pass_fn *list) {
    leat__graph_index(pass->root);
    pass->changed = 0;
    return run_passes(pass, pass->root, list);
}

static int clean(leat_pass *pass, uint32_t flags) {
    static const pass_fn all[] = {leat__pass_fold, leat__pass_tidy, leat__pass_cse, leat__pass_transpose, NULL};
    static const pass_fn needed[] = {leat__pass_fold, leat__pass_tidy, NULL};
    const pass_fn       *list = flags & LEAT_MODEL_NO_FUSION ? needed : all;
    int                  status = run_round(pass, list);
    for (int round = 0; round < MAX_ROUNDS && status == LEAT_OK; round++) {
        status = leat__graph_infer(pass->root, pass->error);
        if (status == LEAT_OK) status = run_round(pass, list);
        if (!pass->changed) break;
    }
    return status;
}

static int fuse(leat_pass *pass) {
    static const pass_fn list[] = {leat__pass_act,  leat__pass_norm,   leat__pass_shuffle,   leat__pass_focus, leat__pass_affine,
                                   leat__pass_conv, leat__pass_matmul, leat__pass_attention, leat__pass_tidy, leat__pass_cse,  NULL};
    int                  status = LEAT_OK;
    for (int round = 0; round < MAX_ROUNDS && status == LEAT_OK; round++) {
        status = run_round(pass, list);
        if (!pass->changed) break;
    }
    return status;
}

static int arrange(leat_pass *pass) {
    static const pass_fn blocks[] = {leat__pass_inverted, leat__pass_enlarge, leat__pass_reorder, leat__pass_tidy, NULL};
    int                  status = run_round(pass, blocks);
    if (status != LEAT_OK) return status;
    leat__graph_index(pass->root);
    pass->graph = pass->root;
    status = leat__pass_layout(pass);
    leat__graph_compact(pass->root);
    return status;
}

int leat__graph_optimize(leat_graph *graph, uint32_t flags, leat_error *error) {
    leat_pass pass = {.root = graph, .graph = graph, .error = error};
    leat__graph_index(graph);
    int status = leat__pass_widen(&pass);
    if (status == LEAT_OK) status = clean(&pass, flags);
    if (status == LEAT_OK && !(flags & LEAT_MODEL_NO_FUSION)) {
        status = fuse(&pass);
        if (status == LEAT_OK) status = arrange(&pass);
    }
    leat__graph_index(graph);
    return status;
}
