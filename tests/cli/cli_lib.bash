# cli_lib.bash - sourced by the scripts of this folder: the program under test, a folder of scratch, and one line for each check.
LEAT=${LEAT_BUILD:-build}/leat
MODEL=models/abacus_cells.onnx
SHAPE=(--shape image=1x3x64x64)
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
for name in $(env | sed -n 's/^\(LEAT_[A-Z_]*\)=.*/\1/p'); do
    case $name in LEAT_BUILD | LEAT_SHARED | LEAT_TEST_TIMEOUT) ;; *) unset "$name" ;; esac
done

# verdict NAME STATUS: "ok NAME" for status 0; else also what the last run printed.
verdict() {
    if [ "$2" -eq 0 ]; then echo "ok $1"; return; fi
    echo "not ok $1"
    sed 's/^/    | /' "$scratch/out" "$scratch/err" 2>/dev/null | head -n 20
}
# run STATUS ARGUMENT...: runs leat; true if it ends with STATUS.  Its output: $scratch/out and $scratch/err.
run() {
    local expected=$1 status
    shift
    "$LEAT" "$@" >"$scratch/out" 2>"$scratch/err"
    status=$?
    [ $status -eq "$expected" ] || { echo "status $status, expected $expected: leat $*" >>"$scratch/err"; false; }
}
out_has() { grep -qE -- "$1" "$scratch/out" || { echo "stdout lacks: $1" >>"$scratch/err"; false; }; }
err_has() { grep -qE -- "$1" "$scratch/err" || { echo "stderr lacks: $1" >>"$scratch/err"; false; }; }
out_lines() { [ "$(wc -l <"$scratch/out")" -eq "$1" ] || { echo "stdout has not $1 lines" >>"$scratch/err"; false; }; }
# check NAME COMMAND...: one test, of which every command must be true (a function).
check() { local name=$1; shift; "$@"; verdict "$name" $?; }
