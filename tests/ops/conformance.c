/* conformance.c - runs ONNX backend cases through the public API and reports what passes.
 *
 * usage: conformance CASES [--filter TEXT] [--docs FILE] [-v]
 *   CASES    a folder, or a tar file that is unpacked into a temporary one.  Searched in depth for folders that hold `model.onnx` and
 *            `test_data_set_*`, and for `light_*.onnx` (networks with constant weights, run on a ramp)
 *   --filter only cases whose name contains TEXT       --docs  writes the table of operators       -v  prints every case
 *
 * Each case runs in a child with a time limit, so that a crash or a hang is one failure with a name.  A case is skipped, with the
 * reason, when the engine says LEAT_EUNSUPPORTED or when its inputs or outputs are no dense numeric tensors.  Exit status 1 when a
 * case failed, 2 for wrong usage or when nothing ran.  Tolerance: rtol 1e-3, atol 1e-7, or the `data.json` of the case.
 */
#include <ftw.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case_run.h"
#include "ops/op.h"

enum { CASE_SECONDS = 60, CASES_MAX = 20000, GROUPS_MAX = 32, OPS_MAX = 1024, DEPTH_MAX = 6 };

typedef struct tally {
    char name[PB_NAME_MAX];
    int  count[4]; /* by verdict */
} tally;

typedef struct runner {
    test_case  *cases;
    int         n_cases;
    const char *filter, *docs;
    int         verbose;
    tally       groups[GROUPS_MAX], ops[OPS_MAX], missing[OPS_MAX];
    int         n_groups, n_ops, n_missing;
    outcome    *shared;
} runner;

/* ---- finding cases ----------------------------------------------------------------------------------------------------- */

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Takes "rtol" or "atol" out of a data.json; these files are flat objects of a few known keys. */
static double json_number(const char *text, const char *key, double otherwise) {
    const char *at = strstr(text, key);
    at = at ? strchr(at, ':') : NULL;
    return at ? strtod(at + 1, NULL) : otherwise;
}

static void read_tolerance(test_case *c, const char *json_path) {
    char *text = NULL;
    size_t bytes;
    c->rtol = 1e-3;
    c->atol = 1e-7;
    if (leat__read_file(json_path, 1 << 16, &text, &bytes, NULL)) return;
    c->rtol = json_number(text, "\"rtol\"", c->rtol);
    c->atol = json_number(text, "\"atol\"", c->atol);
    leat__free(text);
}

static void add_case(runner *r, const char *folder, const char *file) {
    if (r->n_cases == CASES_MAX || (r->filter && !strstr(folder, r->filter) && !strstr(file, r->filter))) return;
    test_case *c = &r->cases[r->n_cases];
    char parent[CASE_PATH], json[CASE_PATH + 64];
    c->light = strncmp(file, "light_", 6) == 0;
    if (snprintf(c->model, sizeof c->model, "%s/%s", folder, file) >= (int)sizeof c->model) return;
    snprintf(parent, sizeof parent, "%s", folder);
    if (c->light) {
        snprintf(c->name, sizeof c->name, "%.*s", (int)(strlen(file) - strlen(".onnx")), file);
        snprintf(json, sizeof json, "%s/../real/test_%s/data.json", folder, c->name + strlen("light_"));
    } else {
        snprintf(c->name, sizeof c->name, "%.159s", last_part(parent));
        snprintf(json, sizeof json, "%s/data.json", folder);
        *strrchr(parent, '/') = 0;
    }
    snprintf(c->group, sizeof c->group, "%.63s", last_part(parent));
    read_tolerance(c, json);
    r->n_cases++;
}

static int ends_with(const char *text, const char *tail) {
    size_t n = strlen(text), m = strlen(tail);
    return n >= m && strcmp(text + n - m, tail) == 0;
}

static void find_cases(runner *r, const char *folder, int depth) {
    DIR *dir = opendir(folder);
    if (!dir) return;
    for (struct dirent *e; (e = readdir(dir));) {
        char path[CASE_PATH];
        struct stat st;
        if (e->d_name[0] == '.' || snprintf(path, sizeof path, "%s/%s", folder, e->d_name) >= (int)sizeof path) continue;
        if (lstat(path, &st)) continue;
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX) find_cases(r, path, depth + 1);
        if (!S_ISREG(st.st_mode)) continue;
        if (strcmp(e->d_name, "model.onnx") == 0 || (strncmp(e->d_name, "light_", 6) == 0 && ends_with(e->d_name, ".onnx")))
            add_case(r, folder, e->d_name);
    }
    closedir(dir);
}

static int by_name(const void *a, const void *b) {
    const test_case *x = a, *y = b;
    int order = strcmp(x->group, y->group);
    return order ? order : strcmp(x->name, y->name);
}

/* ---- running ----------------------------------------------------------------------------------------------------------- */

static void run_child(const runner *r, const test_case *c) {
    fflush(NULL);
    memset(r->shared, 0, sizeof *r->shared);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(CASE_SECONDS);
        case_run(c, r->shared);
        _exit(0);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) < 0) {
        settle(r->shared, VERDICT_CRASHED, "no child process");
    } else if (WIFSIGNALED(status)) {
        int sig = WTERMSIG(status);
        if (sig == SIGALRM) settle(r->shared, VERDICT_CRASHED, "ran past %d s", CASE_SECONDS);
        else settle(r->shared, VERDICT_CRASHED, "crashed: %s", strsignal(sig));
    } else if (WEXITSTATUS(status) || r->shared->verdict == VERDICT_CRASHED) {
        settle(r->shared, VERDICT_CRASHED, "ended with status %d and no verdict", WEXITSTATUS(status));
    }
}

static void count(tally *list, int *n, int max, const char *name, verdict v) {
    int i = 0;
    while (i < *n && strcmp(list[i].name, name) != 0) i++;
    if (i == max) return;
    if (i == *n) snprintf(list[(*n)++].name, PB_NAME_MAX, "%s", name);
    list[i].count[v]++;
}

/* Counts, for a skipped case, the operators that the engine has no row for. */
static void count_missing(runner *r, const pb_model *model) {
    for (int i = 0; i < model->n_ops; i++) {
        const char *dot = strrchr(model->ops[i], '.');
        char domain[PB_NAME_MAX];
        snprintf(domain, sizeof domain, "%.*s", dot ? (int)(dot - model->ops[i]) : 0, model->ops[i]);
        int known = 0;
        for (int k = 0; !known && leat__op_at(k); k++)
            known = strcmp(leat__op_at(k)->name, dot ? dot + 1 : model->ops[i]) == 0 && strcmp(leat__op_at(k)->domain, domain) == 0;
        if (!known) count(r->missing, &r->n_missing, OPS_MAX, model->ops[i], VERDICT_SKIPPED);
    }
}

static void record(runner *r, const test_case *c) {
    static const char *const word[] = {"FAIL", "ok  ", "FAIL", "skip"};
    const outcome *o = r->shared;
    verdict v = o->verdict == VERDICT_CRASHED ? VERDICT_FAILED : o->verdict;
    count(r->groups, &r->n_groups, GROUPS_MAX, c->group, v);
    for (int i = 0; i < o->model.n_ops; i++) count(r->ops, &r->n_ops, OPS_MAX, o->model.ops[i], v);
    if (v == VERDICT_SKIPPED) count_missing(r, &o->model);
    if (v != VERDICT_FAILED && !r->verbose) return;
    printf("%s %s/%s%s%s\n", word[o->verdict], c->group, c->name, o->message[0] ? ": " : "", o->message);
}

/* ---- reports ----------------------------------------------------------------------------------------------------------- */

static int by_tally(const void *a, const void *b) { return strcmp(((const tally *)a)->name, ((const tally *)b)->name); }

static void total(const runner *r, int sum[4]) {
    for (int i = 0; i < r->n_groups; i++)
        for (int v = 0; v < 4; v++) sum[v] += r->groups[i].count[v];
}

static void print_summary(const runner *r) {
    int sum[4] = {0};
    total(r, sum);
    if (r->n_missing) puts("\noperators without an implementation (cases skipped for them):");
    for (int i = 0; i < r->n_missing; i++) printf("  %s (%d)", r->missing[i].name, r->missing[i].count[VERDICT_SKIPPED]);
    printf("\n\n%-24s %7s %7s %7s\n", "folder", "passed", "failed", "skipped");
    for (int i = 0; i < r->n_groups; i++) {
        const int *n = r->groups[i].count;
        printf("%-24s %7d %7d %7d\n", r->groups[i].name, n[VERDICT_PASSED], n[VERDICT_FAILED], n[VERDICT_SKIPPED]);
    }
    printf("%d passed, %d failed, %d skipped\n", sum[VERDICT_PASSED], sum[VERDICT_FAILED], sum[VERDICT_SKIPPED]);
}

/* "13, 1-12" and so on: the opset ranges of all rows of an operator; empty when there is none. */
static void opset_ranges(const char *full, char *out, size_t n) {
    const char *dot = strrchr(full, '.');
    size_t at = 0;
    out[0] = 0;
    for (int k = 0; leat__op_at(k); k++) {
        const leat_op *op = leat__op_at(k);
        size_t domain = dot ? (size_t)(dot - full) : 0;
        if (strcmp(op->name, dot ? dot + 1 : full) != 0 || strlen(op->domain) != domain || strncmp(op->domain, full, domain) != 0) continue;
        int wrote = op->until ? snprintf(out + at, n - at, "%s%d-%d", at ? ", " : "", op->since, op->until)
                              : snprintf(out + at, n - at, "%s%d+", at ? ", " : "", op->since);
        if (wrote < 0 || (size_t)wrote >= n - at) return;
        at += (size_t)wrote;
    }
}

/* Operators of the table that no case used join the list with zeros, so that the document names all of them. */
static void add_untested(runner *r) {
    for (int k = 0; leat__op_at(k); k++) {
        const leat_op *op = leat__op_at(k);
        char full[PB_NAME_MAX];
        if (strcmp(op->domain, "leat") == 0) continue; /* made by the passes, in no file */
        snprintf(full, sizeof full, "%s%s%s", op->domain, op->domain[0] ? "." : "", op->name);
        count(r->ops, &r->n_ops, OPS_MAX, full, VERDICT_CRASHED);
    }
    qsort(r->ops, (size_t)r->n_ops, sizeof *r->ops, by_tally);
}

static int write_docs(runner *r, const char *cases) {
    int sum[4] = {0};
    FILE *f = fopen(r->docs, "w");
    if (!f) return perror(r->docs), -1;
    total(r, sum);
    add_untested(r);
    fprintf(f, "# Operators\n\nWritten by `make conformance` from `%s`: %d passed, %d failed, %d skipped.\n\n", last_part(cases),
            sum[VERDICT_PASSED], sum[VERDICT_FAILED], sum[VERDICT_SKIPPED]);
    fputs("| folder | passed | failed | skipped |\n|---|---|---|---|\n", f);
    for (int i = 0; i < r->n_groups; i++) {
        const int *n = r->groups[i].count;
        fprintf(f, "| %s | %d | %d | %d |\n", r->groups[i].name, n[VERDICT_PASSED], n[VERDICT_FAILED], n[VERDICT_SKIPPED]);
    }
    fputs("\nPer operator: the opset versions implemented, and the cases whose graph contains it. A dash means that Leat does not have it.\n\n"
          "| operator | opsets | passed | failed | skipped |\n|---|---|---|---|---|\n", f);
    for (int i = 0; i < r->n_ops; i++) {
        char ranges[128];
        const int *n = r->ops[i].count;
        opset_ranges(r->ops[i].name, ranges, sizeof ranges);
        fprintf(f, "| %s | %s | %d | %d | %d |\n", r->ops[i].name, ranges[0] ? ranges : "-", n[VERDICT_PASSED], n[VERDICT_FAILED],
                n[VERDICT_SKIPPED]);
    }
    return fclose(f) ? (perror(r->docs), -1) : 0;
}

/* ---- the program ------------------------------------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw) { return remove(path); }

/* Unpacks a tar file below $TMPDIR with the system's tar; fills the folder's name. */
static int unpack(const char *file, char *folder, size_t n) {
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, n, "%s/leat-cases-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder)) return perror(folder), -1;
    pid_t pid = fork();
    if (pid == 0) {
        execlp("tar", "tar", "-xf", file, "-C", folder, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0) return fprintf(stderr, "conformance: cannot unpack %s\n", file), -1;
    return 0;
}

static int run_all(runner *r, const char *cases) {
    qsort(r->cases, (size_t)r->n_cases, sizeof *r->cases, by_name);
    for (int i = 0; i < r->n_cases; i++) {
        run_child(r, &r->cases[i]);
        record(r, &r->cases[i]);
    }
    qsort(r->missing, (size_t)r->n_missing, sizeof *r->missing, by_tally);
    print_summary(r);
    if (r->docs && write_docs(r, cases)) return 2;
    int sum[4] = {0};
    total(r, sum);
    return r->n_cases == 0 ? 2 : sum[VERDICT_FAILED] ? 1 : 0;
}

static int parse(runner *r, int argc, char **argv, const char **cases) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-v") == 0) r->verbose = 1;
        else if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc) r->filter = argv[++i];
        else if (strcmp(argv[i], "--docs") == 0 && i + 1 < argc) r->docs = argv[++i];
        else if (argv[i][0] != '-' && !*cases) *cases = argv[i];
        else return -1;
    }
    return *cases ? 0 : -1;
}

int main(int argc, char **argv) {
    static runner r;
    const char *cases = NULL;
    char folder[CASE_PATH];
    struct stat st;
    if (parse(&r, argc, argv, &cases)) return fputs("usage: conformance CASES [--filter TEXT] [--docs FILE] [-v]\n", stderr), 2;
    if (stat(cases, &st)) {
        printf("skipped: no conformance cases at %s; give CASES=folder-or-tar or LEAT_SHARED\n0 passed, 0 failed, 0 skipped\n", cases);
        return 0;
    }
    r.cases = calloc(CASES_MAX, sizeof *r.cases);
    r.shared = mmap(NULL, sizeof *r.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!r.cases || r.shared == MAP_FAILED) return fputs("conformance: out of memory\n", stderr), 2;
    int packed = !S_ISDIR(st.st_mode);
    if (packed && unpack(cases, folder, sizeof folder)) return 2;
    find_cases(&r, packed ? folder : cases, 0);
    int status = run_all(&r, cases);
    if (packed) nftw(folder, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
    free(r.cases);
    return status;
}
