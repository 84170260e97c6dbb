/* cmd_version.c - `leat version`. */
#include <stdio.h>

#include "leat/common.h"
#include "options.h"
#include "report.h"
#include "term.h"

int cli_version(const cli_args *args) {
    if (cli_int(args, OPT_JSON)) cli_print_json(json_pack("{s:s, s:s}", "version", LEAT_VERSION_STRING, "library", leat_version()));
    else printf("leat %s\n", leat_version());
    return CLI_DONE;
}
