/* bench_transpose.c - transposition of square matrices, nanoseconds by size of element.
 *
 * usage: bench_transpose [SIDE]      64 unless given; ISA by LEAT_ISA
 *
 * Best of the rounds, each of some hundred transpositions between the same two blocks, which a cache holds. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cpu/cpu.h"
#include "cpu/transpose.h"

enum { ROUNDS = 200, TIMES = 200, MOST = 1024 };

static double best_ns(leat_transpose_fn transpose, const uint8_t *from, uint8_t *to, int64_t side, int64_t element) {
    double best = 1e30;
    for (int r = 0; r < ROUNDS; r++) {
        int64_t start = leat__now_ns();
        for (int i = 0; i < TIMES; i++) transpose(from, side * element, to, side * element, side, side);
        double took = (double)(leat__now_ns() - start) / TIMES;
        if (took < best) best = took;
    }
    return best;
}

int main(int argc, char **argv) {
    int side = argc > 1 ? atoi(argv[1]) : 64;
    if (side < 1 || side > MOST) {
        fprintf(stderr, "usage: bench_transpose [SIDE], at most %d\n", MOST);
        return 2;
    }
    leat__cpu_init();
    const leat_transpose_fn kernels[] = {leat__transpose.b1, leat__transpose.b2, leat__transpose.b4, leat__transpose.b8};
    size_t   bytes = (size_t)side * (size_t)side * 8;
    uint8_t *from = calloc(1, bytes), *to = calloc(1, bytes);
    if (!from || !to) return 1;
    printf("%s, %d x %d\n", leat_isa_name(leat__cpu_level()), side, side);
    for (int i = 0; i < 4; i++) printf("%d bytes  %9.0f ns\n", 1 << i, best_ns(kernels[i], from, to, side, 1 << i));
    free(from);
    free(to);
    return 0;
}
