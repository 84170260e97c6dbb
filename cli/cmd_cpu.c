/* cmd_cpu.c - `leat cpu`: what this machine has, and what it was measured to reach. */
#include <stdio.h>

#include "machine.h"
#include "report.h"
#include "term.h"

static void print_rate(const char *what, double one, double many, const char *unit) { printf("  %-24s %10.1f %10.1f  %s\n", what, one, many, unit); }

static void print_machine(const leat_machine *m) {
    printf("%s, %d usable CPU%s\n", m->cpu_name, m->cpus, m->cpus == 1 ? "" : "s");
    printf("  instruction sets         ");
    for (leat_isa i = LEAT_ISA_REF; i < LEAT_ISA_COUNT; i = leat_isa_next(i)) printf(" %s", leat_isa_name(i));
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
