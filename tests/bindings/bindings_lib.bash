# bindings_lib.bash - sourced by the scripts of this folder: the build under test made known to Python and Go, and the tools that they need.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. tests/cli/cli_lib.bash
LEAT_BUILD=$(cd "${LEAT_BUILD:-build}" && pwd)
export LEAT_BUILD LEAT_LIBRARY=$LEAT_BUILD/libleat.so PKG_CONFIG_PATH=$LEAT_BUILD PYTHONPATH=bindings/python PYTHONDONTWRITEBYTECODE=1
export GOCACHE=$LEAT_BUILD/go-cache GOPATH=$LEAT_BUILD/go-path GOENV=off GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-buildvcs=false
# Go's cache notices neither another header nor another answer of pkg-config: their sum among the flags makes it.
CGO_CFLAGS="-O2 -g -DLEAT_HEADERS=$(cat include/leat/*.h "$LEAT_BUILD/leat-uninstalled.pc" | cksum | cut -d' ' -f1)"
export CGO_CFLAGS

# The first Python that has numpy, else none.
for PYTHON in python3 /usr/bin/python3; do "$PYTHON" -c 'import numpy' 2>/dev/null && break || PYTHON=; done
GO=$(command -v go || ls /usr/lib/go/bin/go 2>/dev/null)

# A small language model: the shared one, else the bundled one.
LM=${LEAT_TEST_LM:-${LEAT_SHARED:-../shared}/models/llm/stories260K.gguf}
[ -e "$LM" ] || LM=$(ls models/*.gguf 2>/dev/null | head -n 1)
LM=$(realpath "$LM" 2>/dev/null)
[ -z "$LM" ] || export LEAT_TEST_LM=$LM

# same_output NAME...: true when all the files $scratch/NAME are equal and not empty.
same_output() { local first=$1 name; for name in "$@"; do [ -s "$scratch/$name" ] && cmp "$scratch/$first" "$scratch/$name" >>"$scratch/err" 2>&1 || return 1; done; }
# The examples in C, which the bindings' ones must agree with: c_example NAME ARGUMENT... -> $scratch/c
c_example() {
    local name=$1
    shift
    "${CC:-cc}" -std=c11 "examples/$name.c" $(pkg-config --cflags --libs leat) -o "$scratch/example_$name" 2>"$scratch/err" && "$scratch/example_$name" "$@" >"$scratch/c" 2>>"$scratch/err"
}
