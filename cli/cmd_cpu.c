/* cmd_cpu.c - `leat cpu`: what this machine has, and what it was measured to reach. */
#include <stdio.h>

#include "machine.h"
#include "report.h"
#include "term.h"

int cli_select_isa(const cli_args *args) {
    leat_isa level;
    const char *name = cli_text(args, OPT_ISA);
    if (!name) return CLI_DONE;
    int status = leat_isa_parse(name, &level);
    if (status == LEAT_OK) status = leat_isa_select(level);
    if (status == LEAT_OK) return CLI_DONE;
    cli_fail("--isa %s: this machine supports %s at most", name, leat_isa_name(leat_isa_supported()));
    return CLI_UNSUPPORTED;
}

json_t *cli_json_machine(const leat_machine *m) {
    json_t *object = json_pack("{s:s, s:i, s:s, s:s, s:i, s:i, s:i}", "cpu_name", m->cpu_name, "cpus", m->cpus, "isa_supported",
                               leat_isa_name(leat_isa_supported()), "isa_selected", leat_isa_name(leat_isa_selected()), "l1d_kib", m->l1d_kib,
                               "l2_kib", m->l2_kib, "l3_kib", m->l3_kib);
    if (m->fma_gflops_1t <= 0) return object;
    json_t *rates = json_pack("{s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "threads_nt", m->threads_nt, "fma_gflops_1t", m->fma_gflops_1t,
                              "fma_gflops_nt", m->fma_gflops_nt, "int8_gops_1t", m->int8_gops_1t, "int8_gops_nt", m->int8_gops_nt,
                              "read_gbps_1t", m->read_gbps_1t, "read_gbps_nt", m->read_gbps_nt, "copy_gbps_1t", m->copy_gbps_1t,
                              "copy_gbps_nt", m->copy_gbps_nt);
    json_object_update(object, rates);
    json_decref(rates);
    return object;
}

static void print_rate(const char *what, double one, double many, const char *unit) { printf("  %-24s %10.1f %10.1f  %s\n", what, one, many, unit); }

static void print_machine(const leat_machine *m) {
    printf("%s, %d usable CPU%s\n", m->cpu_name, m->cpus, m->cpus == 1 ? "" : "s");
    printf("  instruction sets         ");
    for (int i = 0; i <= (int)leat_isa_supported(); i++) printf(" %s", leat_isa_name((leat_isa)i));
    printf("\n  in use                    %s\n", leat_isa_name(leat_isa_selected()));
    printf("  caches                    L1d %d KiB, L2 %d KiB, L3 %d KiB\n", m->l1d_kib, m->l2_kib, m->l3_kib);
    if (m->fma_gflops_1t <= 0) return;
    printf("  measured                    1 thread %3d threads\n", m->threads_nt);
    print_rate("fp32 multiply-add", m->fma_gflops_1t, m->fma_gflops_nt, "GFLOP/s");
    print_rate("int8 dot product", m->int8_gops_1t, m->int8_gops_nt, "GOP/s");
    print_rate("memory read", m->read_gbps_1t, m->read_gbps_nt, "GB/s");
    print_rate("memory copy", m->copy_gbps_1t, m->copy_gbps_nt, "GB/s");
}

int cli_cpu(const cli_args *args) {
    leat_machine machine = {0};
    int status = cli_select_isa(args);
    if (status) return status;
    int failed = leat_machine_measure(cli_int(args, OPT_MEASURE), cli_int(args, OPT_THREADS), &machine);
    if (failed != LEAT_OK) return cli_fail("measuring the machine: %s", leat_status_text(failed));
    if (cli_int(args, OPT_JSON)) cli_print_json(cli_json_machine(&machine));
    else print_machine(&machine);
    return CLI_DONE;
}
