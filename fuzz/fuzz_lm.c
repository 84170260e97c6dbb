/* fuzz_lm.c - whole language models: small files of every architecture with bytes of their metadata and directory changed are refused with a message, or they work.
 *
 * Input: one byte chooses the model, then patches of four bytes: where (16 bits, from the start of the file), how (0: set, 1: xor, 2: add; above: all ones from here), what. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../tests/golden/lm_build.h"
#include "leat/lm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void patch(uint8_t *file, size_t bytes, const uint8_t *p) {
    size_t at = (size_t)(p[0] | p[1] << 8) % bytes;
    switch (p[2] % 4) {
    case 0: file[at] = p[3]; break;
    case 1: file[at] ^= p[3]; break;
    case 2: file[at] = (uint8_t)(file[at] + p[3]); break;
    default:
        for (size_t i = at; i < at + p[3] % 9 && i < bytes; i++) file[i] = 0xff;
    }
}

static void evaluate(leat_lm *lm) {
    static const int32_t tokens[24] = {1, 5, 100, 7, 7, 8, 9, 250, 30, 31, 32, 33};
    static const int64_t counts[] = {3, 2, 24, 23, 9, 20}; /* on, and back, also by more than a window keeps */
    leat_lm_session_options options;
    leat_lm_session *session;
    leat_error error = {0};
    leat_lm_session_options_default(&options);
    options.context = 24;
    options.batch = 4;
    if (leat_lm_session_open(lm, &options, &session, &error)) {
        if (!error.message[0]) abort();
        return;
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (leat_lm_sync(session, tokens, counts[i], &error) && !error.message[0]) abort();
    leat_lm_session_close(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const lm_damage apart = {.apart = 1};
    static uint8_t *built[2 * LM_SPECS]; /* the second time with experts' matrices apart */
    static size_t   bytes[2 * LM_SPECS];
    leat_lm_options options;
    leat_error error = {0};
    leat_lm *lm;
    if (size < 1) return 0;
    int which = data[0] % (2 * LM_SPECS);
    if (!built[which]) built[which] = lm_build(&lm_specs[which % LM_SPECS], which < LM_SPECS ? NULL : &apart, &bytes[which]);
    uint8_t *file = malloc(bytes[which]);
    memcpy(file, built[which], bytes[which]);
    for (size_t i = 1; i + 4 <= size && i < 64; i += 4) patch(file, bytes[which], data + i);
    leat_lm_options_default(&options);
    options.threads = 1;
    if (leat_lm_open_memory(file, bytes[which], &options, &lm, &error) == LEAT_OK) evaluate(lm);
    else if (!error.message[0]) abort();
    leat_lm_unref(lm);
    free(file);
    return 0;
}
