/* test_onnx_truncate.c - a real model cut off at every 97th byte is an error, never a crash (sanitizers watch the end). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "graph/onnx_import.h"

#define STEP 97
#define MODEL "models/classification/mnist-8.onnx"

static int import_prefix(const uint8_t *data, size_t bytes, uint8_t damage_at_end) {
    leat_arena arena;
    leat_onnx_model model;
    leat_error error = {0};
    uint8_t *exact = malloc(bytes + !bytes);
    memcpy(exact, data, bytes);
    if (damage_at_end && bytes) exact[bytes - 1] ^= damage_at_end;
    leat__arena_init(&arena, LEAT_MEMORY_GRAPH);
    int status = leat__onnx_import(exact, bytes, NULL, 0, 16 << 20, &arena, &model, &error);
    if (status != LEAT_OK && (error.status != status || !error.message[0])) status = 1;
    leat__onnx_import_fini(&model);
    leat__arena_fini(&arena);
    free(exact);
    return status;
}

static void every_prefix_is_an_error(void **state) {
    (void)state;
    char path[512];
    leat_mapping map;
    const char *shared = getenv("LEAT_SHARED");
    snprintf(path, sizeof path, "%s/" MODEL, shared ? shared : "../shared");
    if (leat__map_file(path, &map, NULL) != LEAT_OK) {
        print_message("skipped: %s is missing (set LEAT_SHARED)\n", path);
        skip();
    }
    assert_int_equal(import_prefix(map.data, map.bytes, 0), LEAT_OK);
    for (size_t n = 0; n < map.bytes; n += STEP) {
        int status = import_prefix(map.data, n, 0);
        if (status >= LEAT_OK) fail_msg("the first %zu bytes give %d", n, status);
        status = import_prefix(map.data, n, 0xff);
        if (status >= LEAT_OK) fail_msg("the first %zu bytes, the last one damaged, give %d", n, status);
    }
    leat__unmap(&map);
}

/* Damage anywhere may leave a model that still opens; it must just not crash and explain itself when it does not. */
static void damaged_bytes_never_crash(void **state) {
    (void)state;
    char path[512];
    leat_mapping map;
    const char *shared = getenv("LEAT_SHARED");
    snprintf(path, sizeof path, "%s/" MODEL, shared ? shared : "../shared");
    if (leat__map_file(path, &map, NULL) != LEAT_OK) {
        print_message("skipped: %s is missing (set LEAT_SHARED)\n", path);
        skip();
    }
    uint8_t *copy = malloc(map.bytes);
    memcpy(copy, map.data, map.bytes);
    for (size_t at = 0; at < map.bytes; at += at < 600 ? 1 : STEP) {
        copy[at] ^= 0x81;
        if (import_prefix(copy, map.bytes, 0) > LEAT_OK) fail_msg("byte %zu: a failure without a message", at);
        copy[at] = map.data[at];
    }
    free(copy);
    leat__unmap(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_prefix_is_an_error), cmocka_unit_test(damaged_bytes_never_crash)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
