#!/bin/bash
# test_house.sh - the checks of tools/: layers, sizes, style, nothing unused; and that a packager of results counts rightly.
cd "$(dirname "$0")/../.." || exit 1
. tests/cli/cli_lib.bash

if ! git rev-parse --git-dir >/dev/null 2>&1; then
    echo "skip house checks: not a git checkout"
else
    for tool in check-layers check-size check-style check-unused; do
        tools/$tool >"$scratch/out" 2>"$scratch/err"
        verdict "$tool" $?
    done
fi

# run-tests itself: a suite that runs nothing fails, a failure and a crash are counted, skips are shown
counts_rightly() {
    printf '#!/bin/bash\necho ok a; echo "skip b: why"\n' >"$scratch/good.sh"
    printf '#!/bin/bash\n:\n' >"$scratch/empty.sh"
    printf '#!/bin/bash\necho ok a; exit 3\n' >"$scratch/crash.sh"
    chmod +x "$scratch"/*.sh
    tools/run-tests build "$scratch"/good.sh >"$scratch/out" && [ "$(tail -n 1 "$scratch/out")" = "1 passed, 0 failed, 1 skipped" ] && out_has 'skip b: why' &&
        ! tools/run-tests build "$scratch"/{good,empty,crash}.sh >"$scratch/out" && [ "$(tail -n 1 "$scratch/out")" = "2 passed, 2 failed, 1 skipped" ]
}
check counts_rightly counts_rightly
