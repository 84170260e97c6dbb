/* test_tokenizer.c - tokenizers against the published vectors of four vocabularies, and back to text; hostile input on a vocabulary made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "leat/tokenizer.h"

enum { MOST = 4096 };
#define SEPARATOR "\n__ggml_vocab_test__\n"

static char *read_text(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 1 << 16);
    assert_non_null(file);
    assert_non_null(text);
    *bytes = fread(text, 1, (1 << 16) - 1, file);
    fclose(file);
    return text;
}

static void show(const char *what, const int32_t *tokens, int64_t n) {
    print_message("%s:", what);
    for (int64_t i = 0; i < n; i++) print_message(" %d", tokens[i]);
    print_message("\n");
}

static int one_text(const leat_tokenizer *t, const char *text, size_t bytes, char *line) {
    int32_t want[MOST], got[MOST];
    int64_t n_want = 0, n_got = 0;
    char *word, *rest = line;
    while ((word = strtok_r(rest, " ", &rest))) want[n_want++] = atoi(word);
    assert_int_equal(leat_tokenizer_encode(t, text, bytes, 0, got, MOST, &n_got), LEAT_OK);
    if (n_got == n_want && memcmp(got, want, (size_t)n_got * sizeof *got) == 0) return 1;
    print_message("differs on \"%.*s\"\n", (int)bytes, text);
    show("  want", want, n_want);
    show("  got ", got, n_got);
    return 0;
}

/* A text must come back from its ids, whatever is in it. */
static void round_trip(const leat_tokenizer *t, const char *text, size_t bytes) {
    int32_t tokens[MOST];
    int64_t n;
    char back[MOST];
    size_t n_back;
    assert_int_equal(leat_tokenizer_encode(t, text, bytes, LEAT_TOKENIZE_SPECIALS, tokens, MOST, &n), LEAT_OK);
    assert_int_equal(leat_tokenizer_decode(t, tokens, n, 0, back, sizeof back, &n_back), LEAT_OK);
    assert_int_equal(n_back, bytes);
    assert_memory_equal(back, text, bytes);
}

static void check_vocabulary(const char *name, int reversible) {
    char path[512], full[GOLDEN_PATH];
    size_t in_bytes, out_bytes;
    leat_gguf *file;
    leat_tokenizer *t;
    leat_error error = {0};
    int texts = 0, right = 0;
    snprintf(path, sizeof path, "gguf-vocab/ggml-vocab-%s.gguf", name);
    golden_need(golden_path(full, path));
    if (leat_gguf_open(full, &file, &error) || leat_tokenizer_open(file, &t, &error)) fail_msg("%s", error.message);
    snprintf(path, sizeof path, "gguf-vocab/ggml-vocab-%s.gguf.inp", name);
    char *in = read_text(golden_path(full, path), &in_bytes);
    snprintf(path, sizeof path, "gguf-vocab/ggml-vocab-%s.gguf.out", name);
    char *out = read_text(golden_path(full, path), &out_bytes), *line = out;
    for (char *text = in, *end; text < in + in_bytes; text = end + strlen(SEPARATOR)) {
        end = strstr(text, SEPARATOR);
        if (!end) break;
        char *next = strchr(line, '\n');
        assert_non_null(next);
        *next = 0;
        right += one_text(t, text, (size_t)(end - text), line);
        if (reversible) round_trip(t, text, (size_t)(end - text));
        line = next + 1;
        texts++;
    }
    free(in);
    free(out);
    leat_tokenizer_close(t);
    leat_gguf_close(file);
    assert_true(texts > 40);
    assert_int_equal(right, texts);
}

static void test_spm(void **state) { check_vocabulary("llama-spm", 1); }
static void test_spm_user_defined(void **state) { check_vocabulary("phi-3", 1); }
static void test_bpe(void **state) { check_vocabulary("gpt-2", 1); }
static void test_wpm(void **state) { check_vocabulary("bert-bge", 0); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spm),
        cmocka_unit_test(test_spm_user_defined),
        cmocka_unit_test(test_bpe),
        cmocka_unit_test(test_wpm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
