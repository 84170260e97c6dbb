/* bench_qmat.c - products of stored weights with 1 to 8 tokens, as a share of the memory's read rate.
 *
 * usage: bench_qmat [-t THREADS] [-c COLUMNS] [-m MIB] [-r ROUNDS] [-f FORMAT] [-s KIB] [-H]      -s: of the small matrix; -H: weights in huge pages
 *
 * For each format and number of tokens: the rate of weights' bytes with a matrix larger than the caches, beside the rate of plain reading of the same bytes
 * by as many threads in the same rounds; and with a matrix of 256 KiB, that stays in the second-level cache, which shows how far the kernel is from being
 * the limit.  Rates are medians of the rounds.  ISA by LEAT_ISA.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fp16.h"
#include "base/stats.h"
#include "base/tpool.h"
#include "cpu/blocks.h"
#include "cpu/cpu.h"
#include "cpu/probe.h"
#include "cpu/qmat.h"

enum { MOST_ROUNDS = 64, CHUNK = 64 << 10, REPEATS = 64 };

static const int types[] = {8, 2, 12, 14, 1, 30, 0, 13, 6, 3, 7, 11, 10, 20, 23};
static const int tokens[] = {1, 2, 4, 8};

typedef struct job {
    leat_qmat  w;
    void      *memory; /* of act */
    float     *x;      /* [8, cols] */
    leat_qact  act;
    float     *y;
    int64_t    rows, chunk; /* rows of a task */
    char      *scratch; /* of each thread, scratch_bytes */
    size_t     scratch_bytes;
} job;

static leat_tpool *pool;
static int         threads = 1, small_kib = 256;

static void multiply(void *arg, int64_t index, int worker) {
    job    *j = arg;
    int64_t first = index * j->chunk, left = j->rows - first;
    leat__qmat(&j->w, &j->act, first, left < j->chunk ? left : j->chunk, j->y, j->w.rows, j->scratch + (size_t)worker * j->scratch_bytes);
}

static volatile uint64_t sink;

static void read_rows(void *arg, int64_t index, int worker) {
    job    *j = arg;
    int64_t first = index * j->chunk, left = j->rows - first, rows = left < j->chunk ? left : j->chunk;
    sink = leat__probe_read(j->w.data + first * j->w.stride / 8 * 8, rows * j->w.stride / 256 * 256);
}

static double seconds(job *j, leat_task_fn fn, int repeats) {
    int64_t start = leat__now_ns(), chunks = (j->rows + j->chunk - 1) / j->chunk;
    for (int i = 0; i < repeats; i++) leat__tpool_for_n(pool, threads, chunks, fn, j);
    return (double)(leat__now_ns() - start) / 1e9 / repeats;
}

static double median(double *values, int n) {
    leat_summary s;
    leat__summarise(values, (size_t)n, &s);
    return s.p50;
}

static void fill(uint8_t *data, int64_t bytes) {
    uint32_t state = 12345;
    for (int64_t i = 0; i < bytes; i += 4) { /* halves that are small, whatever bytes are taken for one */
        state = state * 1664525 + 1013904223;
        uint32_t word = state & 0x9fff9fffu;
        memcpy(data + i, &word, 4);
    }
}

static void measure(job *j, int type, int64_t cols, int64_t bytes, int rounds) {
    const leat_block_format *f = leat__block_format(type);
    j->w.type = type;
    j->w.cols = cols;
    j->w.stride = cols / f->length * f->bytes;
    j->w.rows = bytes / j->w.stride;
    j->chunk = (CHUNK / j->w.stride + 15) / 16 * 16;
    int64_t small = ((int64_t)small_kib << 10) / j->w.stride;
    for (size_t k = 0; k < sizeof tokens / sizeof *tokens; k++) {
        double big[MOST_ROUNDS], plain[MOST_ROUNDS], near[MOST_ROUNDS];
        leat__qact_init(&j->act, j->memory, j->x, tokens[k], cols, cols);
        leat__qact_round(&j->act, 0, tokens[k]);
        for (int r = 0; r < rounds; r++) {
            j->rows = j->w.rows;
            plain[r] = (double)(j->rows * j->w.stride) / seconds(j, read_rows, 1) / 1e9;
            big[r] = (double)(j->rows * j->w.stride) / seconds(j, multiply, 1) / 1e9;
            j->rows = small;
            near[r] = (double)(small * j->w.stride) / seconds(j, multiply, REPEATS) / 1e9;
        }
        double rate = median(big, rounds), read = median(plain, rounds);
        printf("%-7s %d token%s  %6.1f GB/s of %5.1f  %3.0f %%   in cache %6.1f GB/s %5.2f ns for 32\n", f->name, tokens[k], tokens[k] > 1 ? "s" : " ", rate, read,
               100 * rate / read, median(near, rounds), 32 / median(near, rounds) * f->bytes / f->length);
    }
}

int main(int argc, char **argv) {
    static job  j;
    int64_t     cols = 2048, mib = 192;
    int         rounds = 7, huge = 0, option;
    const char *only = "";
    while ((option = getopt(argc, argv, "t:c:m:r:f:s:H")) != -1) {
        if (option == 't') threads = atoi(optarg);
        else if (option == 'c') cols = atoi(optarg);
        else if (option == 'm') mib = atoi(optarg);
        else if (option == 'r') rounds = atoi(optarg);
        else if (option == 'f') only = optarg;
        else if (option == 's') small_kib = atoi(optarg);
        else if (option == 'H') huge = 1;
        else return 2;
    }
    if (threads < 1 || threads > 64 || cols < 256 || cols % 256 || mib < 1 || small_kib < 1 || small_kib > mib << 10 || rounds < 1 || rounds > MOST_ROUNDS) return 2;
    int64_t  bytes = mib << 20;
    uint8_t *data = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    float   *x = aligned_alloc(64, (size_t)(8 * cols + 16) * 4);
    j.memory = aligned_alloc(64, leat__qact_bytes(8, cols));
    j.y = malloc((size_t)bytes / 64 * 8 * 4); /* a row has at least 64 bytes */
    j.scratch_bytes = (leat__qmat_scratch_bytes(cols) + 63) / 64 * 64;
    j.scratch = aligned_alloc(64, j.scratch_bytes * (size_t)threads);
    if (data == MAP_FAILED || !j.scratch || !x || !j.memory || !j.y || leat_tpool_new(threads, &pool) != LEAT_OK) return 1;
    madvise(data, (size_t)bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    fill(data, bytes);
    for (int64_t i = 0; i < 8 * cols; i++) x[i] = (float)((i * 2654435761u >> 9) & 255) / 128 - 1;
    leat__cpu_init();
    j.x = x;
    j.w.data = data;
    printf("%s, %d threads, %d columns, %d MiB\n", leat_isa_name(leat__cpu_level()), threads, (int)cols, (int)mib);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!*only || !strcmp(only, leat__block_format(types[i])->name)) measure(&j, types[i], cols, bytes, rounds);
    leat_tpool_unref(pool);
    free(x), free(j.memory), free(j.y), free(j.scratch);
    return munmap(data, (size_t)bytes);
}
