/* test_arm_name.c - names of ARM's cores from the text of /proc/cpuinfo. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/arm_name.h"

#define CORE(implementer, part)                                                                                    \
    "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd asimddp\nCPU implementer\t: " implementer             \
    "\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: " part "\nCPU revision\t: 1\n\n"

static void check(const char *text, size_t size, const char *want) {
    char  name[200] = "unknown";
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(file);
    leat__arm_name(file, name, size);
    fclose(file);
    assert_string_equal(name, want);
}

static void names_each_kind_of_core_once(void **state) {
    check(CORE("0x41", "0xd0c") CORE("0x41", "0xd0c"), 64, "Neoverse N1");
    check(CORE("0x41", "0xd05") CORE("0x41", "0xd05") CORE("0x41", "0xd0b") CORE("0x41", "0xd05"), 64, "Cortex-A55 + Cortex-A76");
    check(CORE("0x41", "0xd81") CORE("0x41", "0xd08"), 64, "Cortex-A720 + Cortex-A72");
    check(CORE("0x61", "0x022"), 64, "ARM 0x61/0x022");
}

static void leaves_out_what_does_not_fit(void **state) {
    check(CORE("0x41", "0xd05") CORE("0x41", "0xd0b"), 20, "Cortex-A55");
    check(CORE("0x41", "0xd05") CORE("0x41", "0xd0b"), 8, "unknown");
}

static void leaves_other_texts_alone(void **state) {
    check("processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: x\n", 64, "unknown");
    check("CPU part without a number\n", 64, "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_each_kind_of_core_once), cmocka_unit_test(leaves_out_what_does_not_fit),
                                       cmocka_unit_test(leaves_other_texts_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
