/* test_transpose.c - every level's transposition against the definition, over odd sizes and strides, with canaries; and copy_nd with
 * random geometry against an element-by-element walk, whole and in shares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "cpu/copy_nd.h"
#include "cpu/cpu.h"
#include "cpu/transpose.h"

#define SEED 20260101u
#define CANARY 0xA5

static uint64_t draw_at;
static int64_t draw(int64_t n) { return (int64_t)(leat__rng_u64(SEED, 1, draw_at++) % (uint64_t)n); }

static void fill_random(uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; i++) p[i] = (uint8_t)leat__rng_u64(SEED, 2, draw_at++);
}

static void check_size(size_t elem, int64_t rows, int64_t cols) {
    int64_t ss = (cols + draw(3)) * (int64_t)elem, ds = (rows + draw(3)) * (int64_t)elem;
    size_t src_bytes = (size_t)(rows * ss), dst_bytes = (size_t)(cols * ds) + 64;
    uint8_t *src = leat__alloc(src_bytes, LEAT_MEMORY_OTHER), *dst = leat__alloc(dst_bytes, LEAT_MEMORY_OTHER);
    assert_non_null(src);
    assert_non_null(dst);
    fill_random(src, src_bytes);
    memset(dst, CANARY, dst_bytes);
    leat__transpose_of(elem)(src, ss, dst, ds, rows, cols);
    for (int64_t j = 0; j < cols; j++) {
        for (int64_t i = 0; i < rows; i++)
            assert_memory_equal(dst + j * ds + i * (int64_t)elem, src + i * ss + j * (int64_t)elem, elem);
        for (int64_t k = rows * (int64_t)elem; k < ds; k++) assert_int_equal(dst[j * ds + k], CANARY);
    }
    for (size_t k = (size_t)(cols * ds); k < dst_bytes; k++) assert_int_equal(dst[k], CANARY);
    leat__free(src);
    leat__free(dst);
}

static void test_kernels(void **state) {
    leat__cpu_init();
    leat_isa top = leat__cpu_level();
    for (leat_isa level = LEAT_ISA_REF; level <= top; level = leat_isa_next(level)) {
        leat__cpu_select(level);
        for (size_t elem = 1; elem <= 8; elem *= 2) {
            for (int64_t rows = 1; rows <= 20; rows++)
                for (int64_t cols = 1; cols <= 20; cols += 1 + draw(3)) check_size(elem, rows, cols);
            check_size(elem, 67, 131);
            check_size(elem, 3, 300);
            check_size(elem, 128, 64);
        }
    }
    leat__cpu_select(top);
}

/* The definition, one element at a time. */
static void naive(const leat_copy *c, const uint8_t *src, uint8_t *dst, int axis) {
    if (axis == c->rank) {
        memcpy(dst, src, (size_t)c->elem);
        return;
    }
    for (int64_t i = 0; i < c->dims[axis]; i++) naive(c, src + i * c->src[axis], dst + i * c->dst[axis], axis + 1);
}

/* A random copy: output dense in order, source a permutation, broadcast, step or reversal of a dense block. */
static int64_t random_copy(leat_copy *c, int64_t *src_offset) {
    int order[6], rank = 1 + (int)draw(5);
    int64_t dims[6], strides[6], extent = 1, dst = 1 << draw(4);
    *c = (leat_copy){.elem = dst};
    *src_offset = 0;
    for (int i = 0; i < rank; i++) order[i] = i, dims[i] = draw(12) ? 1 + draw(9) : 0;
    for (int i = rank - 1; i > 0; i--) {
        int j = (int)draw(i + 1), t = order[i];
        order[i] = order[j], order[j] = t;
    }
    for (int i = rank - 1; i >= 0; i--) { /* source storage order = order[] */
        int a = order[i];
        int64_t step = draw(5) ? 1 : 2, kind = draw(6);
        strides[a] = kind == 0 ? 0 : extent * step * c->elem * (kind == 1 ? -1 : 1);
        if (kind == 1 && dims[a]) *src_offset -= (dims[a] - 1) * strides[a];
        extent *= kind == 0 || !dims[a] ? 1 : dims[a] * step;
    }
    int64_t out[6];
    for (int i = rank - 1; i >= 0; i--) out[i] = dst, dst *= dims[i];
    for (int i = 0; i < rank; i++) leat__copy_axis(c, dims[i], strides[i], out[i]);
    return extent * c->elem;
}

static void test_copies(void **state) {
    for (int round = 0; round < 3000; round++) {
        leat_copy c, folded;
        int64_t offset, bytes = random_copy(&c, &offset), out = leat__copy_bytes(&c);
        uint8_t *src = leat__alloc((size_t)bytes, LEAT_MEMORY_OTHER), *want = leat__calloc((size_t)out + 32, 1, LEAT_MEMORY_OTHER);
        uint8_t *got = leat__calloc((size_t)out + 32, 1, LEAT_MEMORY_OTHER), *shared = leat__calloc((size_t)out + 32, 1, LEAT_MEMORY_OTHER);
        fill_random(src, (size_t)bytes);
        naive(&c, src + offset, want, 0);
        folded = c;
        leat__copy_fold(&folded);
        assert_int_equal(leat__copy_bytes(&folded), out);
        leat__copy_run(&folded, src + offset, got);
        for (int part = 0; part < 3; part++) leat__copy_part(&folded, src + offset, shared, part, 3);
        assert_memory_equal(got, want, (size_t)out + 32);
        assert_memory_equal(shared, want, (size_t)out + 32);
        leat__free(src), leat__free(want), leat__free(got), leat__free(shared);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernels), cmocka_unit_test(test_copies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
