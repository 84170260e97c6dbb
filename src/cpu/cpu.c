/* cpu.c - which instructions may be used, and the tables of kernels filled for them.
 *
 * A level counts only if CPUID names all its features and XGETBV shows that the OS saves the registers it needs: a hypervisor or a
 * kernel option may hide the state while CPUID still shows the instructions.  On ARM the kernel tells both in one word.  The level in use is the detected one, lowered by
 * LEAT_ISA (read once) or by leat_isa_select(); an unknown or higher value of LEAT_ISA is ignored.
 */
#include "cpu/cpu.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if LEAT_CPU_X86
#include <cpuid.h>
#elif LEAT_CPU_ARM
#include <sys/auxv.h>
#endif

#define FAMILY(name) void leat__##name##_init(leat_isa level);
#include "cpu/cpu_families.h"
#undef FAMILY

#define FAMILY(name) leat__##name##_init,
static void (*const families[])(leat_isa level) = {
#include "cpu/cpu_families.h"
    NULL};
#undef FAMILY

static const char *const level_names[LEAT_ISA_COUNT] = {"ref", "avx2", "avx512", "avx512vnni", "neon", "neondot", "neoni8mm"};

static pthread_mutex_t init_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int      filled;   /* 1 once the tables are filled */
static atomic_int      in_use;   /* leat_isa of the tables */
static atomic_int      holders;  /* models open */

#if LEAT_CPU_X86
#define FIRST_LEVEL LEAT_ISA_AVX2 /* above LEAT_ISA_REF */
#define XCR0_SSE_AVX 0x06u /* XMM and the upper halves of YMM */
#define XCR0_AVX512 0xe6u  /* the above, opmasks, upper ZMM, ZMM16-31 */

static int has_bits(unsigned value, unsigned mask) { return (value & mask) == mask; }

static unsigned saved_state(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

leat_isa leat__cpu_detect(void) {
    unsigned eax, ebx, ecx, edx, ebx7, ecx7;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return LEAT_ISA_REF;
    if (!has_bits(ecx, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C)) return LEAT_ISA_REF;
    if (!__get_cpuid_count(7, 0, &eax, &ebx7, &ecx7, &edx)) return LEAT_ISA_REF;
    unsigned state = saved_state();
    if (!has_bits(state, XCR0_SSE_AVX) || !has_bits(ebx7, bit_AVX2 | bit_BMI2)) return LEAT_ISA_REF;
    if (!has_bits(state, XCR0_AVX512)) return LEAT_ISA_AVX2;
    if (!has_bits(ebx7, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL)) return LEAT_ISA_AVX2;
    return has_bits(ecx7, bit_AVX512VNNI) ? LEAT_ISA_AVX512VNNI : LEAT_ISA_AVX512;
}
#elif LEAT_CPU_ARM
#define FIRST_LEVEL LEAT_ISA_NEON
#define CAP_DOT (1ul << 20)   /* AT_HWCAP: ASIMDDP */
#define CAP2_I8MM (1ul << 13) /* AT_HWCAP2 */

leat_isa leat__cpu_detect(void) {
    if (!(getauxval(AT_HWCAP) & CAP_DOT)) return LEAT_ISA_NEON;
    return getauxval(AT_HWCAP2) & CAP2_I8MM ? LEAT_ISA_NEONI8MM : LEAT_ISA_NEONDOT;
}
#else
#define FIRST_LEVEL LEAT_ISA_COUNT
leat_isa leat__cpu_detect(void) { return LEAT_ISA_REF; }
#endif

static int runs_here(leat_isa level) { return level == LEAT_ISA_REF || (level >= FIRST_LEVEL && level <= leat__cpu_detect()); }

static void fill_tables(leat_isa level) {
    for (int i = 0; families[i]; i++) families[i](level);
    atomic_store(&in_use, (int)level);
    atomic_store(&filled, 1);
}

static leat_isa wanted_level(void) {
    leat_isa asked;
    const char *text = getenv("LEAT_ISA");
    return text && leat_isa_parse(text, &asked) == LEAT_OK && runs_here(asked) ? asked : leat__cpu_detect();
}

void leat__cpu_init(void) {
    if (atomic_load(&filled)) return;
    pthread_mutex_lock(&init_lock);
    if (!atomic_load(&filled)) fill_tables(wanted_level());
    pthread_mutex_unlock(&init_lock);
}

void leat__cpu_select(leat_isa level) {
    leat_isa detected = leat__cpu_detect();
    pthread_mutex_lock(&init_lock);
    fill_tables(level > detected ? detected : level);
    pthread_mutex_unlock(&init_lock);
}

leat_isa leat__cpu_level(void) {
    leat__cpu_init();
    return (leat_isa)atomic_load(&in_use);
}

void leat__cpu_hold(void) { atomic_fetch_add(&holders, 1); }
void leat__cpu_release(void) { atomic_fetch_sub(&holders, 1); }

/* ---- caches ----------------------------------------------------------------------------------------------------------- */

static size_t       caches[4]; /* [level] bytes of data or unified cache */
static pthread_once_t caches_once = PTHREAD_ONCE_INIT;

/* First line of cpu0's cache `index` file `name` into text; 0 when there is none. */
static int read_sysfs(int index, const char *name, char *text, int size) {
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, name);
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    int got = fgets(text, size, file) != NULL;
    fclose(file);
    return got;
}

/* sysfs knows what a virtual machine really shares; sysconf multiplies the last level by the host's clusters on some CPUs. */
static void find_caches(void) {
    char level[16], type[32], size[32];
    for (int i = 0; i < 8 && read_sysfs(i, "level", level, sizeof level); i++) {
        if (!read_sysfs(i, "type", type, sizeof type) || !read_sysfs(i, "size", size, sizeof size)) continue;
        char *unit;
        size_t number = strtoul(size, &unit, 10); /* in a statement of its own: `unit` is set before it is read */
        size_t bytes = number << (*unit == 'K' ? 10 : *unit == 'M' ? 20 : 0);
        int l = atoi(level);
        if (l >= 1 && l <= 3 && type[0] != 'I') caches[l] = bytes;
    }
    static const int names[4] = {0, _SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
    for (int l = 1; l <= 3; l++) {
        long bytes = caches[l] ? 0 : sysconf(names[l]);
        if (bytes > 0) caches[l] = (size_t)bytes;
    }
}

void leat__cpu_caches(size_t *l1d, size_t *l2, size_t *l3) {
    pthread_once(&caches_once, find_caches);
    *l1d = caches[1];
    *l2 = caches[2];
    *l3 = caches[3];
}

/* ---- public ----------------------------------------------------------------------------------------------------------- */

leat_isa leat_isa_supported(void) { return leat__cpu_detect(); }
leat_isa leat_isa_next(leat_isa level) {
    leat_isa above = level < FIRST_LEVEL ? FIRST_LEVEL : (leat_isa)(level + 1);
    return above <= leat__cpu_detect() ? above : LEAT_ISA_COUNT;
}
leat_isa leat_isa_selected(void) { return leat__cpu_level(); }

int leat_isa_select(leat_isa level) {
    if ((int)level < 0 || level >= LEAT_ISA_COUNT) return LEAT_EINVAL;
    if (!runs_here(level)) return LEAT_EUNSUPPORTED;
    if (atomic_load(&holders) > 0) return LEAT_ESTATE;
    leat__cpu_select(level);
    return LEAT_OK;
}

const char *leat_isa_name(leat_isa level) {
    return (int)level >= 0 && level < LEAT_ISA_COUNT ? level_names[level] : NULL;
}

int leat_isa_parse(const char *name, leat_isa *level) {
    if (!name || !level) return LEAT_EINVAL;
    for (int i = 0; i < LEAT_ISA_COUNT; i++) {
        if (strcmp(name, level_names[i]) != 0) continue;
        *level = (leat_isa)i;
        return LEAT_OK;
    }
    return LEAT_EINVAL;
}
