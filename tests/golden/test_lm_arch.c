/* test_lm_arch.c - logits of a small model of every architecture beside llama.cpp's; rows of several sessions in one step; files with something wrong.
 *
 * `test_lm_arch --write FOLDER` writes the models there; tests/golden/lm_arch_expect.py records their logits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "leat/leat.h"
#include "lm/lm_impl.h"
#include "lm_build.h"
#include "lm_case.h"

#define EXPECT "tests/golden/lm_arch_expect.json"
enum { PROMPT = 24, CONTEXT = 256 };

static int32_t prompt_token(int i) { return i == 0 ? 1 : 3 + (7 * i * i + 13 * i + 5) % 256; }

static void fill_prompt(int32_t tokens[PROMPT]) {
    for (int i = 0; i < PROMPT; i++) tokens[i] = prompt_token(i);
}

static leat_lm *open_built(const lm_spec *spec, const lm_damage *damage, uint8_t **bytes, int threads, leat_error *error) {
    size_t size;
    leat_lm_options options;
    leat_lm *lm;
    leat_lm_options_default(&options);
    options.threads = threads;
    *bytes = lm_build(spec, damage, &size);
    leat_lm_open_memory(*bytes, size, &options, &lm, error);
    return lm;
}

static leat_lm *open_spec(const lm_spec *spec, uint8_t **bytes, int threads) {
    leat_error error = {0};
    leat_lm *lm = open_built(spec, NULL, bytes, threads, &error);
    if (!lm) fail_msg("%s: %s", spec->name, error.message);
    return lm;
}

static const lm_spec *spec_of(const char *name) {
    for (int i = 0; i < LM_SPECS; i++)
        if (strcmp(lm_specs[i].name, name) == 0) return &lm_specs[i];
    fail_msg("no model '%s'", name);
    return NULL;
}

/* ---- beside llama.cpp ------------------------------------------------------------------------------------------------------- */

/* The record has every `step`-th logit of some positions. */
static void check_positions(const json_t *record, const float *logits, const char *name, double tolerance) {
    const json_t *positions = json_object_get(record, "positions"), *rows = json_object_get(record, "logits");
    int64_t step = json_integer_value(json_object_get(record, "step"));
    double range = json_number_value(json_object_get(record, "range"));
    assert_true(json_array_size(positions) > 1);
    for (size_t i = 0; i < json_array_size(positions); i++) {
        int64_t at = json_integer_value(json_array_get(positions, i));
        const json_t *row = json_array_get(rows, i);
        assert_int_equal(json_array_size(row), (SPEC_VOCABULARY + step - 1) / step);
        for (size_t k = 0; k < json_array_size(row); k++) {
            double wanted = json_number_value(json_array_get(row, k)), got = logits[at * SPEC_VOCABULARY + (int64_t)k * step];
            if (!(fabs(wanted - got) <= tolerance * range)) fail_msg("%s: position %d, logit %d is %g, not %g", name, (int)at, (int)(k * (size_t)step), got, wanted);
        }
    }
}

static void check_spec(const json_t *all, const lm_spec *spec) {
    static float logits[PROMPT * SPEC_VOCABULARY];
    int32_t tokens[PROMPT];
    uint8_t *bytes;
    leat_error error = {0};
    const json_t *record = json_object_get(all, spec->name);
    if (!record) fail_msg("%s has no model '%s': run tests/golden/lm_arch_expect.py", EXPECT, spec->name);
    leat_lm *lm = open_spec(spec, &bytes, 2);
    leat_lm_session *session = lm_session(lm, LEAT_KV_F32, CONTEXT, 0);
    fill_prompt(tokens);
    if (leat_lm_sync_logits(session, tokens, PROMPT, logits, &error)) fail_msg("%s: %s", spec->name, error.message);
    /* llama.cpp's GELU is a table of half-precision values */
    check_positions(record, logits, spec->name, strncmp(spec->arch, "gemma", 5) == 0 ? 1e-3 : 2e-5);
    leat_lm_session_close(session);
    leat_lm_unref(lm);
    free(bytes);
}

static void test_logits(void **state) {
    leat_isa before = leat_isa_selected();
    json_error_t problem;
    json_t *all = json_load_file(EXPECT, 0, &problem);
    if (!all) fail_msg("%s: %s", EXPECT, problem.text);
    for (leat_isa level = LEAT_ISA_REF; level <= before; level = leat_isa_next(level)) {
        assert_int_equal(leat_isa_select(level), LEAT_OK);
        for (int i = 0; i < LM_SPECS; i++) check_spec(all, &lm_specs[i]);
    }
    assert_int_equal(leat_isa_select(before), LEAT_OK);
    json_decref(all);
}

/* ---- the same, however rows come -------------------------------------------------------------------------------------------- */

/* Prompt at once, in pieces, token by token: the same logits. */
static void test_pieces(void **state) {
    static const int32_t batches[] = {1, 5, 9, 24};
    static float logits[4][SPEC_VOCABULARY];
    int32_t tokens[PROMPT];
    fill_prompt(tokens);
    for (int i = 0; i < LM_SPECS; i++) {
        uint8_t *bytes;
        leat_lm *lm = open_spec(&lm_specs[i], &bytes, 1);
        for (int b = 0; b < 4; b++) {
            const float *last;
            leat_lm_session *session = lm_session(lm, LEAT_KV_F32, CONTEXT, batches[b]);
            lm_sync(session, tokens, PROMPT);
            leat_lm_logits(session, &last);
            memcpy(logits[b], last, sizeof logits[b]);
            leat_lm_session_close(session);
            if (b && lm_largest_difference(logits[0], logits[b], SPEC_VOCABULARY) > 1e-4) fail_msg("%s: pieces of %d", lm_specs[i].name, (int)batches[b]);
        }
        leat_lm_unref(lm);
        free(bytes);
    }
}

static void test_thread_counts(void **state) {
    static float one[PROMPT * SPEC_VOCABULARY], many[PROMPT * SPEC_VOCABULARY];
    int32_t tokens[PROMPT];
    fill_prompt(tokens);
    for (int i = 0; i < LM_SPECS; i++)
        for (int threads = 1; threads <= 4; threads += threads == 1 ? 1 : 2) {
            uint8_t *bytes;
            leat_lm *lm = open_spec(&lm_specs[i], &bytes, threads);
            leat_lm_session *session = lm_session(lm, LEAT_KV_F16, CONTEXT, 0);
            assert_int_equal(leat_lm_sync_logits(session, tokens, PROMPT, threads == 1 ? one : many, NULL), LEAT_OK);
            if (threads > 1 && memcmp(one, many, sizeof one) != 0) fail_msg("%s: %d threads", lm_specs[i].name, threads);
            leat_lm_session_close(session);
            leat_lm_unref(lm);
            free(bytes);
        }
}

enum { SESSIONS = 3 };

/* Rows [from, to) of session s's prompt, which is shifted by s. */
static int32_t add_rows(leat_lm_row *rows, int32_t n, leat_lm_kv *kv, int s, int from, int to) {
    for (int i = from; i < to; i++) rows[n++] = (leat_lm_row){kv, prompt_token(i + s), i + 1 == to};
    return n;
}

/* Three sessions that share steps get what each gets alone: one in the middle of its prompt, the others token by token. */
static void check_shared_steps(const lm_spec *spec) {
    static float alone[SESSIONS][SPEC_VOCABULARY], together[SESSIONS * SPEC_VOCABULARY];
    leat_lm_row rows[64];
    leat_lm_kv *kv[SESSIONS];
    leat_lm_runner *runner;
    uint8_t *bytes;
    leat_lm *lm = open_spec(spec, &bytes, 2);
    leat_lm_outputs out = {.logits = together};
    assert_int_equal(leat__lm_runner_open(lm, 64, 64, 0, &runner, NULL), LEAT_OK);
    for (int s = 0; s < SESSIONS; s++) assert_int_equal(leat__lm_kv_open(lm, CONTEXT, CONTEXT, LEAT_KV_F32, &kv[s], NULL), LEAT_OK);
    for (int s = 0; s < SESSIONS; s++) {
        leat_lm_outputs single = {.logits = alone[s]};
        assert_int_equal(leat__lm_forward(runner, rows, add_rows(rows, 0, kv[s], s, 0, 12), &single, NULL, NULL), LEAT_OK);
        assert_int_equal(leat__lm_forward(runner, rows, add_rows(rows, 0, kv[s], s, 12, s == 1 ? 20 : 13), &single, NULL, NULL), LEAT_OK);
        leat__lm_kv_truncate(kv[s], 12);
    }
    int32_t n = 0;
    for (int s = 0; s < SESSIONS; s++) n = add_rows(rows, n, kv[s], s, 12, s == 1 ? 20 : 13);
    assert_int_equal(leat__lm_forward(runner, rows, n, &out, NULL, NULL), LEAT_OK);
    for (int s = 0; s < SESSIONS; s++) {
        assert_int_equal(kv[s]->length, s == 1 ? 20 : 13);
        if (lm_largest_difference(alone[s], together + s * SPEC_VOCABULARY, SPEC_VOCABULARY) > 1e-4) fail_msg("%s: session %d", spec->name, s);
        leat__lm_kv_close(kv[s]);
    }
    leat__lm_runner_close(runner);
    leat_lm_unref(lm);
    free(bytes);
}

static void test_shared_steps(void **state) {
    for (int i = 0; i < LM_SPECS; i++) check_shared_steps(&lm_specs[i]);
}

/* Early files have a tensor for each expert: the same bits come out, of the weights that a token reads as well. */
static void test_experts_apart(void **state) {
    static float logits[2][PROMPT * SPEC_VOCABULARY];
    static const char *const models[] = {"mixtral", "qwen2moe", "qwen3moe"};
    int32_t tokens[PROMPT];
    fill_prompt(tokens);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        leat_lm_info info[2];
        for (int apart = 0; apart < 2; apart++) {
            uint8_t *bytes;
            leat_error error = {0};
            leat_lm *lm = open_built(spec_of(models[i]), &(lm_damage){.apart = apart}, &bytes, 2, &error);
            if (!lm) fail_msg("%s: %s", models[i], error.message);
            leat_lm_get_info(lm, &info[apart]);
            leat_lm_session *session = lm_session(lm, LEAT_KV_F32, CONTEXT, 0);
            assert_int_equal(leat_lm_sync_logits(session, tokens, PROMPT, logits[apart], &error), LEAT_OK);
            leat_lm_session_close(session);
            leat_lm_unref(lm);
            free(bytes);
        }
        assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
        assert_int_equal(info[0].weight_bytes_token, info[1].weight_bytes_token);
        assert_int_equal(info[0].parameters, info[1].parameters);
    }
}

/* ---- files with something wrong --------------------------------------------------------------------------------------------- */

static void refused(const char *model, const lm_damage *damage, int status, const char *names) {
    leat_error error = {0};
    uint8_t *bytes;
    leat_lm *lm = open_built(spec_of(model), damage, &bytes, 1, &error);
    if (lm || error.status != status || !strstr(error.message, names)) fail_msg("%s: '%s' was expected: %s", model, names, lm ? "opened" : error.message);
    free(bytes);
}

static void test_wrong_tensors(void **state) {
    refused("llama", &(lm_damage){.drop = "blk.1.attn_v.weight"}, LEAT_EFORMAT, "'blk.1.attn_v.weight' is missing");
    refused("llama", &(lm_damage){.drop = "token_embd.weight"}, LEAT_EFORMAT, "'token_embd.weight' is missing");
    refused("qwen2", &(lm_damage){.drop = "blk.0.attn_k.bias"}, LEAT_EFORMAT, "'blk.0.attn_k.bias' is missing");
    refused("mixtral", &(lm_damage){.drop = "blk.1.ffn_up_exps.weight"}, LEAT_EFORMAT, "'blk.1.ffn_up_exps.weight' is missing");
    refused("mixtral", &(lm_damage){.apart = 1, .drop = "blk.1.ffn_up.3.weight"}, LEAT_EFORMAT, "'blk.1.ffn_up.3.weight' is missing");
    refused("mixtral", &(lm_damage){.apart = 1, .drop = "blk.1.ffn_up.0.weight"}, LEAT_EFORMAT, "'blk.1.ffn_up_exps.weight' is missing");
    refused("mixtral", &(lm_damage){.apart = 1, .widen = "blk.0.ffn_down.4.weight"}, LEAT_ESHAPE, "'blk.0.ffn_down.4.weight' is");
    refused("mixtral", &(lm_damage){.apart = 1, .key = "expert_count", .value = 4}, LEAT_ESHAPE, "ffn_gate_inp");
    refused("llama-tied-biases", &(lm_damage){.rename = "blk.1.attn_q.bias"}, LEAT_EUNSUPPORTED, "'stranger' is unexpected");
    refused("phi3", &(lm_damage){.widen = "blk.0.ffn_up.weight"}, LEAT_ESHAPE, "'blk.0.ffn_up.weight' is 33 x 80 x 1, the hyperparameters say 32 x 80 x 1");
    refused("gemma2", &(lm_damage){.widen = "blk.1.post_ffw_norm.weight"}, LEAT_ESHAPE, "'blk.1.post_ffw_norm.weight' is 33");
    refused("llama", &(lm_damage){.widen = "blk.1.attn_q.weight", .type = 26}, LEAT_EUNSUPPORTED, "'blk.1.attn_q.weight' is of type I32");
    refused("llama", &(lm_damage){.key = "block_count", .value = 1}, LEAT_EUNSUPPORTED, "'blk.1.");
    refused("llama", &(lm_damage){.key = "block_count", .value = 3}, LEAT_EFORMAT, "'blk.2.attn_q.weight' is missing");
}

static void test_wrong_numbers(void **state) {
    refused("llama", &(lm_damage){.key = "attention.head_count", .value = 0}, LEAT_EFORMAT, "'llama.attention.head_count' is 0");
    refused("llama", &(lm_damage){.key = "attention.head_count_kv", .value = 3}, LEAT_EFORMAT, "head_count_kv");
    refused("llama", &(lm_damage){.key = "embedding_length", .value = 0x7fffffff}, LEAT_EFORMAT, "'llama.embedding_length'");
    refused("llama", &(lm_damage){.key = "rope.dimension_count", .value = 7}, LEAT_EFORMAT, "odd");
    refused("mixtral", &(lm_damage){.key = "expert_used_count", .value = 6}, LEAT_EFORMAT, "'llama.expert_used_count' is 6");
    refused("llama", &(lm_damage){.key = "attention.layer_norm_rms_epsilon", .value = 0x7fc00000}, LEAT_EFORMAT, "layer_norm_rms_epsilon");
    refused("llama-linear", &(lm_damage){.key = "rope.scaling.factor", .value = 0}, LEAT_EFORMAT, "'llama.rope.scaling.factor'");
}

/* Every number at its limits: a refusal or a model that works, never anything else. */
static void test_hostile_numbers(void **state) {
    static const char *const keys[] = {"block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count", "attention.head_count_kv",
                                       "attention.key_length", "attention.value_length", "rope.dimension_count", "attention.layer_norm_rms_epsilon", "expert_count",
                                       "expert_used_count", "expert_feed_forward_length", "attention.sliding_window", "rope.scaling.factor", "rope.freq_base",
                                       "rope.scaling.original_context_length", "attn_logit_softcapping"};
    static const uint32_t values[] = {0, 1, 2, 31, 0x7f800000, 0x7fffffff, 0x80000000, 0xffffffff};
    int32_t tokens[PROMPT];
    fill_prompt(tokens);
    for (int i = 0; i < LM_SPECS; i++)
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
                leat_error error = {0};
                uint8_t *bytes;
                leat_lm *lm = open_built(&lm_specs[i], &(lm_damage){.key = keys[k], .value = values[v]}, &bytes, 1, &error);
                if (!lm) assert_true(error.status < 0 && error.message[0]);
                leat_lm_session *session = lm ? lm_session(lm, LEAT_KV_F16, 16, 0) : NULL;
                if (lm) lm_sync(session, tokens, 3);
                leat_lm_session_close(session);
                leat_lm_unref(lm);
                free(bytes);
            }
}

static int write_models(const char *folder) {
    for (int i = 0; i < LM_SPECS; i++) {
        char path[GOLDEN_PATH];
        size_t size;
        uint8_t *bytes = lm_build(&lm_specs[i], NULL, &size);
        snprintf(path, sizeof path, "%s/%s.gguf", folder, lm_specs[i].name);
        int status = leat__write_file(path, bytes, size, NULL);
        free(bytes);
        if (status) return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_logits),        cmocka_unit_test(test_pieces),        cmocka_unit_test(test_thread_counts),
                                       cmocka_unit_test(test_shared_steps),  cmocka_unit_test(test_wrong_tensors), cmocka_unit_test(test_wrong_numbers),
                                       cmocka_unit_test(test_hostile_numbers), cmocka_unit_test(test_experts_apart)};
    if (argc == 3 && strcmp(argv[1], "--write") == 0) return write_models(argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
