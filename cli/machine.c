/* machine.c - see machine.h. */
#include "machine.h"

#include <string.h>

#include "term.h"

int cli_select_isa(const cli_args *args) {
    leat_isa level;
    const char *name = cli_text(args, OPT_ISA);
    if (!name) return CLI_DONE;
    int status = leat_isa_parse(name, &level);
    if (status == LEAT_OK) status = leat_isa_select(level);
    if (status == LEAT_OK) return CLI_DONE;
    char levels[96] = "";
    for (leat_isa i = LEAT_ISA_REF; i < LEAT_ISA_COUNT; i = leat_isa_next(i)) strcat(strcat(levels, " "), leat_isa_name(i));
    cli_fail("--isa %s: this machine has%s", name, levels);
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
