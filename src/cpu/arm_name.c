/* arm_name.c - names of ARM's cores by the numbers of their main ID register (MIDR_EL1: implementer and part); see arm_name.h.
 *
 * The list holds what people run models on; an unknown core is named by its numbers, which are all that is needed to look it up.
 */
#include "cpu/arm_name.h"

#include <stdlib.h>
#include <string.h>

typedef struct core {
    unsigned    implementer, part;
    const char *name;
} core;

static const core cores[] = {
    {0x41, 0xd03, "Cortex-A53"},  {0x41, 0xd05, "Cortex-A55"},   {0x41, 0xd07, "Cortex-A57"},  {0x41, 0xd08, "Cortex-A72"},
    {0x41, 0xd09, "Cortex-A73"},  {0x41, 0xd0a, "Cortex-A75"},   {0x41, 0xd0b, "Cortex-A76"},  {0x41, 0xd0c, "Neoverse N1"},
    {0x41, 0xd40, "Neoverse V1"}, {0x41, 0xd41, "Cortex-A78"},   {0x41, 0xd44, "Cortex-X1"},   {0x41, 0xd46, "Cortex-A510"},
    {0x41, 0xd47, "Cortex-A710"}, {0x41, 0xd48, "Cortex-X2"},    {0x41, 0xd49, "Neoverse N2"}, {0x41, 0xd4d, "Cortex-A715"},
    {0x41, 0xd4e, "Cortex-X3"},   {0x41, 0xd4f, "Neoverse V2"},  {0x41, 0xd80, "Cortex-A520"}, {0x41, 0xd81, "Cortex-A720"},
    {0x41, 0xd82, "Cortex-X4"},   {0x41, 0xd84, "Neoverse V3"},  {0x41, 0xd8e, "Neoverse N3"}, {0x46, 0x001, "A64FX"},
    {0x48, 0xd01, "Kunpeng 920"}, {0x51, 0x001, "Oryon"},        {0xc0, 0xac3, "Ampere-1"},    {0xc0, 0xac4, "Ampere-1a"},
};

/* "field : number"; 0 when the line is another. */
static int field(const char *line, const char *name, unsigned *value) {
    const char *colon = strchr(line, ':');
    if (strncmp(line, name, strlen(name)) != 0 || !colon) return 0;
    *value = (unsigned)strtoul(colon + 1, NULL, 0);
    return 1;
}

static void name_core(unsigned implementer, unsigned part, char *text, size_t size) {
    for (size_t i = 0; i < sizeof cores / sizeof *cores; i++)
        if (cores[i].implementer == implementer && cores[i].part == part) {
            snprintf(text, size, "%s", cores[i].name);
            return;
        }
    snprintf(text, size, "ARM 0x%02x/0x%03x", implementer, part);
}

/* Whether `names`, separated by " + ", has `one`: "Cortex-A720" has no "Cortex-A72". */
static int has_name(const char *names, const char *one) {
    size_t length = strlen(one);
    for (const char *at = names; (at = strstr(at, one)) != NULL; at += length)
        if (at[length] == 0 || at[length] == ' ') return 1;
    return 0;
}

void leat__arm_name(FILE *cpuinfo, char *name, size_t size) {
    char     line[256], one[40], all[160] = "";
    unsigned implementer = 0, part;
    while (fgets(line, sizeof line, cpuinfo)) {
        if (field(line, "CPU implementer", &implementer) || !field(line, "CPU part", &part)) continue;
        name_core(implementer, part, one, sizeof one);
        size_t used = strlen(all);
        if (has_name(all, one) || used + strlen(one) + 4 > sizeof all || used + strlen(one) + 4 > size) continue;
        snprintf(all + used, sizeof all - used, "%s%s", used ? " + " : "", one);
    }
    if (*all) snprintf(name, size, "%s", all);
}
