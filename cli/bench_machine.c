/* bench_machine.c - see bench_machine.h. */
#include "bench_machine.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "term.h"

static void measure_in_child(int to, int ms, int threads) {
    leat_machine machine = {0};
    int failed = leat_machine_measure(ms, threads, &machine);
    _exit(failed == LEAT_OK && write(to, &machine, sizeof machine) == (ssize_t)sizeof machine ? CLI_DONE : CLI_FAILED);
}

int bench_machine(const cli_args *args, int threads, leat_machine *machine) {
    int cpus = leat_cpu_count(), ends[2], status = 0;
    if (threads <= 0 || threads > cpus) threads = cpus;
    if (cli_int(args, OPT_MEASURE) == 0)
        return leat_machine_measure(0, threads, machine) == LEAT_OK ? CLI_DONE : cli_fail("this machine cannot be described");
    if (pipe(ends) != 0) return cli_fail("pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child == 0) measure_in_child(ends[1], cli_int(args, OPT_MEASURE), threads);
    close(ends[1]);
    int ok = child > 0 && read(ends[0], machine, sizeof *machine) == (ssize_t)sizeof *machine;
    close(ends[0]);
    if (child > 0) waitpid(child, &status, 0);
    if (cli_interrupted()) return CLI_INTERRUPTED;
    return ok ? CLI_DONE : cli_fail("measuring the machine failed; --measure 0 leaves it out");
}
