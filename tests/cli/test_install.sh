#!/bin/bash
# test_install.sh - make install into a folder; a program is compiled and linked against what is there, statically and shared; the names
# that the shared library exports are those that the public headers declare.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/cli_lib.bash
prefix=$scratch/prefix
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
CC=${CC:-cc}

installs() { make -s install BUILD="${LEAT_BUILD:-build}" PREFIX="$prefix" >"$scratch/out" 2>"$scratch/err" && [ -L "$prefix/lib/libleat.so" ]; }
program_finds_its_model() { (cd / && "$prefix/bin/leat" classify "$OLDPWD"/models/demo/upper_1.jpg --top 1 >"$scratch/out") && out_has upper; }
program_finds_its_plugin() { # built only where FFmpeg's development packages are
    [ -e "${LEAT_BUILD:-build}/leat_ffmpeg.so" ] || return 0
    (cd / && "$prefix/bin/leat" video scene:size=64x64,frames=3 -o "$scratch/x.mp4" -q 2>"$scratch/err") && [ -s "$scratch/x.mp4" ] &&
        [ "$(nm -D --defined-only "$prefix/lib/leat/leat_ffmpeg.so" | awk '{ print $3 }')" = leat_video_plugin_1 ]
}
shared_example_runs() {
    "$CC" -std=c11 examples/run_model.c $(pkg-config --cflags --libs leat) -lm -o "$scratch/shared" 2>"$scratch/err" &&
        LD_LIBRARY_PATH=$prefix/lib "$scratch/shared" "$MODEL" >"$scratch/out" 2>>"$scratch/err"
}
pipeline_example_runs() {
    "$CC" -std=c11 examples/own_pipeline.c $(pkg-config --cflags --libs leat) -o "$scratch/pipeline" 2>"$scratch/err" &&
        LD_LIBRARY_PATH=$prefix/lib "$scratch/pipeline" 12 >"$scratch/out" 2>>"$scratch/err" && [ "$(tr '\n' ' ' <"$scratch/out")" = "2 3 5 7 11 " ]
}
circles_example_runs() {
    "$CC" -std=c11 examples/fit_circles.c $(pkg-config --cflags --libs leat) -o "$scratch/circles" 2>"$scratch/err" &&
        LD_LIBRARY_PATH=$prefix/lib "$scratch/circles" models/demo/upper_1.jpg 5 "$scratch/circles.svg" >"$scratch/out" 2>>"$scratch/err" &&
        [ "$(grep -c '<circle ' "$scratch/circles.svg")" -eq 5 ]
}
static_example_runs() {
    "$CC" -std=c11 examples/run_model.c $(pkg-config --cflags leat) "$prefix/lib/libleat.a" $(pkg-config --libs-only-l --static leat | sed 's/-lleat//') \
        -lm -o "$scratch/static" 2>"$scratch/err" && "$scratch/static" "$MODEL" >"$scratch/out" 2>>"$scratch/err"
}
exports_are_the_public_names() {
    cat include/leat/*.h | grep -v '^ *\*\|^/\*' | grep -oE '\bleat_[a-z0-9_]+\(' | grep -v __ | tr -d '(' | sort -u >"$scratch/declared"
    nm -D --defined-only "$prefix/lib/libleat.so" | awk '{ print $3 }' | grep -v '^__\|^_init$\|^_fini$' | sort >"$scratch/exported"
    diff "$scratch/declared" "$scratch/exported" >"$scratch/out" && [ -s "$scratch/declared" ]
}
uninstalls() { make -s uninstall PREFIX="$prefix" >"$scratch/out" 2>&1 && [ -z "$(find "$prefix" -type f -o -type l)" ]; }

for test in installs program_finds_its_model program_finds_its_plugin shared_example_runs pipeline_example_runs circles_example_runs static_example_runs exports_are_the_public_names uninstalls; do
    check "$test" "$test"
done
