/* qdot_rows_tmpl.h - two rows at once through a matrix, one, two or four tokens at a time: the frame of the AVX2 kernels for few tokens.
 *
 * The including file defines
 *
 *   chunk        what 256 activations of the tokens are; chunk_at(f, act, first) those of token `first` on, advance() goes on by 256
 *   sums         of all tokens and both rows, begun by clear()
 *   add_chunk    256 weights of the rows at w and at w + stride, which may be 0
 *   finish       y[0] and y[next] of a token; both rows may be the same
 *   ahead(f)     how far ahead weights are asked for
 *   MOST_TOKENS, MOST_CHUNK_BYTES */
#ifndef LEAT_CPU_QDOT_ROWS_TMPL_H
#define LEAT_CPU_QDOT_ROWS_TMPL_H

/* rest: the last chunk, where cols ends within one. */
INLINE void two_rows(const int f, const uint8_t *w, int64_t stride, const leat_qact *act, int64_t first, const int tokens, float *y, int64_t ldy, int64_t next,
                     uintptr_t from) {
    const int64_t part = is_small(f) ? act->cols % CHUNK : 0;
    chunk         x = chunk_at(f, act, first);
    sums          s;
    clear(&s, tokens);
    for (int64_t left = act->cols / CHUNK; left > 0; left--, w += chunk_bytes(f)) {
        look_ahead(w, chunk_bytes(f), from);
        look_ahead(w + stride, chunk_bytes(f), from);
        add_chunk(f, w, stride, &x, tokens, &s);
        advance(&x);
    }
    if (part) {
        uint8_t rest[2][MOST_CHUNK_BYTES] = {{0}};
        for (int r = 0; r < 2; r++) memcpy(rest[r], w + r * stride, (size_t)(part / 32 * small_bytes(f)));
        add_chunk(f, rest[0], MOST_CHUNK_BYTES, &x, tokens, &s);
    }
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) finish(f, &s, t, y + t * ldy, next);
}

INLINE void all_rows(const int f, const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {
    const looking l = look(w, stride, rows, act->next, ahead(f));
    for (int64_t r = 0; r < rows; r += 2, w += 2 * stride, y += 2) {
        const int64_t   other = r + 1 < rows, step = other * stride; /* a row that is left goes with itself */
        const uintptr_t from = look_from(&l, rows - r);
        int64_t         t = 0;
        for (; t + 4 <= act->n; t += 4) two_rows(f, w, step, act, t, 4, y + t * ldy, ldy, other, from);
        if (t + 2 <= act->n) two_rows(f, w, step, act, t, 2, y + t * ldy, ldy, other, from), t += 2;
        if (t < act->n) two_rows(f, w, step, act, t, 1, y + t * ldy, ldy, other, from);
    }
}

#endif
