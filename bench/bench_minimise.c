/* bench_minimise.c - every algorithm of leat/minimise.h on classic functions: mean and standard deviation of the best cost over seeds, as Markdown.
 * bench_minimise [dims 30] [seeds 30] [iterations 2000] [function]: the published settings otherwise. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leat/minimise.h"

#define PI 3.14159265358979323846
#define MAX_DIMS 1000

typedef struct function {
    const char *name;
    double (*value)(const double *x, int n);
    double bound;
} function;

static double sphere(const double *x, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i] * x[i];
    return sum;
}
static double rastrigin(const double *x, int n) {
    double sum = 10 * n;
    for (int i = 0; i < n; i++) sum += x[i] * x[i] - 10 * cos(2 * PI * x[i]);
    return sum;
}
static double rosenbrock(const double *x, int n) {
    double sum = 0;
    for (int i = 0; i + 1 < n; i++) sum += 100 * (x[i + 1] - x[i] * x[i]) * (x[i + 1] - x[i] * x[i]) + (1 - x[i]) * (1 - x[i]);
    return sum;
}
static double ackley(const double *x, int n) {
    double squares = 0, waves = 0;
    for (int i = 0; i < n; i++) {
        squares += x[i] * x[i];
        waves += cos(2 * PI * x[i]);
    }
    return -20 * exp(-0.2 * sqrt(squares / n)) - exp(waves / n) + 20 + exp(1.0);
}
static double griewank(const double *x, int n) {
    double sum = 0, product = 1;
    for (int i = 0; i < n; i++) {
        sum += x[i] * x[i] / 4000;
        product *= cos(x[i] / sqrt(i + 1.0));
    }
    return sum - product + 1;
}
static double schwefel(const double *x, int n) { /* 2.26 */
    double sum = 418.9828872724338 * n;
    for (int i = 0; i < n; i++) sum -= x[i] * sin(sqrt(fabs(x[i])));
    return sum;
}
static double schwefel_222(const double *x, int n) {
    double sum = 0, product = 1;
    for (int i = 0; i < n; i++) {
        sum += fabs(x[i]);
        product *= fabs(x[i]);
    }
    return sum + product;
}
static double zakharov(const double *x, int n) {
    double squares = 0, slope = 0;
    for (int i = 0; i < n; i++) {
        squares += x[i] * x[i];
        slope += 0.5 * (i + 1) * x[i];
    }
    return squares + slope * slope + slope * slope * slope * slope;
}

static const function functions[] = {{"Sphere", sphere, 100},       {"Rastrigin", rastrigin, 5.12}, {"Rosenbrock", rosenbrock, 30},
                                     {"Ackley", ackley, 32},        {"Griewank", griewank, 600},    {"Schwefel 2.26", schwefel, 500},
                                     {"Schwefel 2.22", schwefel_222, 10}, {"Zakharov", zakharov, 10}};
enum { N_FUNCTIONS = sizeof functions / sizeof *functions };

typedef struct problem {
    const function *f;
    int             dims;
} problem;

static int costs_of(void *user, const double *x, int32_t n, double *costs) {
    const problem *p = user;
    for (int32_t i = 0; i < n; i++) costs[i] = p->f->value(x + (size_t)i * (size_t)p->dims, p->dims);
    return 0;
}

static double run_once(problem *p, leat_minimise_options *o, int64_t *evaluations) {
    static double lower[MAX_DIMS], upper[MAX_DIMS];
    leat_minimiser *m;
    leat_error error = {0};
    for (int j = 0; j < p->dims; j++) {
        upper[j] = p->f->bound;
        lower[j] = -upper[j];
    }
    if (leat_minimise_open(p->dims, lower, upper, o, &m, &error) != LEAT_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    while (leat_minimise_step(m, costs_of, p) == LEAT_OK) {}
    double best = leat_minimise_best_cost(m);
    *evaluations = leat_minimise_evaluations(m);
    leat_minimise_close(m);
    return best;
}

static void report(const function *f, leat_minimise_algorithm a, int dims, int seeds, int iterations, leat_minimise_distance distance) {
    double sum = 0, squares = 0, least = INFINITY;
    problem p = {f, dims};
    leat_minimise_options o;
    int64_t evaluations = 0;
    leat_minimise_options_default(a, &o);
    o.iterations = iterations;
    o.distance = distance;
    for (int seed = 1; seed <= seeds; seed++) {
        o.seed = (uint64_t)seed;
        double best = run_once(&p, &o, &evaluations);
        sum += best;
        squares += best * best;
        least = fmin(least, best);
    }
    double mean = sum / seeds;
    printf("| %s | %s%s | %.2e | %.2e | %.2e | %lld |\n", f->name, leat_minimise_name(a), distance == LEAT_MINIMISE_PER_DIMENSION ? " (per dimension)" : "", mean,
           sqrt(fmax(squares / seeds - mean * mean, 0)), least, (long long)evaluations);
    fflush(stdout);
}

int main(int argc, char **argv) {
    int dims = argc > 1 ? atoi(argv[1]) : 30, seeds = argc > 2 ? atoi(argv[2]) : 30, iterations = argc > 3 ? atoi(argv[3]) : 2000;
    if (dims < 2 || dims > MAX_DIMS || seeds < 1 || iterations < 1) {
        fprintf(stderr, "usage: bench_minimise [dims 2..%d] [seeds] [iterations] [function]\n", MAX_DIMS);
        return 2;
    }
    printf("%d dimensions, %d seeds, %d iterations\n\n| function | algorithm | mean | sd | best | evaluations |\n|---|---|--:|--:|--:|--:|\n", dims, seeds, iterations);
    for (int i = 0; i < N_FUNCTIONS; i++) {
        if (argc > 4 && strcmp(argv[4], functions[i].name) != 0) continue;
        report(&functions[i], LEAT_MINIMISE_MAYFLY, dims, seeds, iterations, LEAT_MINIMISE_PER_DIMENSION);
        for (int a = 0; a < LEAT_MINIMISE_ALGORITHMS; a++) report(&functions[i], (leat_minimise_algorithm)a, dims, seeds, iterations, LEAT_MINIMISE_CARTESIAN);
    }
    return 0;
}
