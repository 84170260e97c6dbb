#!/bin/bash
# test_go.sh - the Go binding: gofmt, vet, its own tests under the race detector, the examples.
. "$(dirname "$0")/bindings_lib.bash"
[ -n "$GO" ] || { echo "skip go: no Go compiler (Debian: golang-go)"; exit 0; }
command -v pkg-config >/dev/null || { echo "skip go: no pkg-config"; exit 0; }

formatted() { "$("$GO" env GOROOT)/bin/gofmt" -l bindings/go examples/go >"$scratch/out" 2>"$scratch/err" && [ ! -s "$scratch/out" ]; }
check formatted formatted
vetted() { (cd bindings/go && "$GO" vet ./...) >"$scratch/out" 2>"$scratch/err" && (cd examples/go && "$GO" vet ./...) >>"$scratch/out" 2>>"$scratch/err"; }
check vetted vetted

race=-race
[ "$("$GO" env GOARCH)" = amd64 ] || race=
(cd bindings/go && "$GO" test $race -count=1 -v ./...) >"$scratch/out" 2>"$scratch/err"
status=$?
sed -nE 's/^--- PASS: (Test[A-Za-z0-9_]+) .*/ok \1/p; s/^--- FAIL: (Test[A-Za-z0-9_]+) .*/not ok \1/p; s/^--- SKIP: (Test[A-Za-z0-9_]+) .*/skip \1: see its message/p' "$scratch/out"
[ $status -eq 0 ] || { echo "not ok go test"; grep -v '^\(=== RUN\|--- PASS\)' "$scratch/out" "$scratch/err" | sed 's/^/    | /' | head -n 60; }

model_example_agrees() {
    c_example run_model "$MODEL" && (cd examples/go && "$GO" build -o "$scratch/run_model" ./run_model) 2>>"$scratch/err" &&
        "$scratch/run_model" "$MODEL" >"$scratch/go" 2>>"$scratch/err" && same_output c go
}
check model_example_agrees model_example_agrees
generate_example_agrees() {
    c_example generate "$LM" 'Once upon a time' && (cd examples/go && "$GO" build -o "$scratch/generate" ./generate) 2>>"$scratch/err" &&
        "$scratch/generate" "$LM" 'Once upon a time' >"$scratch/go" 2>>"$scratch/err" && same_output c go
}
if [ -n "$LM" ]; then check generate_example_agrees generate_example_agrees; else echo "skip generate_example_agrees: no language model"; fi
