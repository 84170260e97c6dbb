/* media_options.c - see media_options.h. */
#include "media_options.h"

#include <stdio.h>
#include <string.h>

#include "term.h"

static int parse_raw(const cli_args *args, leat_source_options *o) {
    const char *text = cli_text(args, OPT_RAW);
    int  width = 0, height = 0;
    char format[16], end;
    if (!text) return CLI_DONE;
    if (sscanf(text, "%5dx%5d:%15[a-z0-9]%c", &width, &height, format, &end) != 3 || width < 1 || height < 1 ||
        leat_pixel_format_parse(format, &o->raw_format) != LEAT_OK)
        return cli_usage("--raw: '%s' is not WxH:FORMAT, such as 1920x1080:uyvy", text);
    o->raw_width = width;
    o->raw_height = height;
    return CLI_DONE;
}

int cli_open_source(const cli_args *args, leat_source **source) {
    leat_source_options o;
    leat_error error = {0};
    leat_source_options_default(&o);
    o.live_fps = cli_is_set(args, OPT_LIVE) ? cli_number(args, OPT_LIVE) : 0;
    o.loop = cli_int(args, OPT_LOOP);
    o.stride = cli_int(args, OPT_EVERY);
    o.max_frames = (int64_t)cli_number(args, OPT_FRAMES);
    if (cli_text(args, OPT_RATE)) o.fps = cli_number(args, OPT_RATE);
    int status = parse_raw(args, &o);
    if (status) return status;
    int failed = args->n_positional == 1 ? leat_source_open(args->positional[0], &o, source, &error)
                                         : leat_source_open_list((const char *const *)args->positional, args->n_positional, &o, source, &error);
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

int cli_set_sink(const cli_args *args, leat_sink_options *options) {
    const char *codec = cli_text(args, OPT_CODEC);
    options->quality = cli_int(args, OPT_QUALITY);
    if (!codec) return CLI_DONE;
    if (strlen(codec) >= sizeof options->codec) return cli_usage("--codec: '%s' is too long", codec);
    strcpy(options->codec, codec);
    return CLI_DONE;
}
