#!/bin/bash
# test_python.sh - the Python binding: structures beside the headers, its own tests with all warnings on, pip install without a network, the examples.
. "$(dirname "$0")/bindings_lib.bash"
[ -n "$PYTHON" ] || { echo "skip python: no Python with numpy (Debian: python3-numpy)"; exit 0; }

agrees_with_headers() { "$PYTHON" tests/bindings/check_abi.py "${CC:-cc}" >"$scratch/out" 2>"$scratch/err"; }
check agrees_with_headers agrees_with_headers

for file in bindings/python/tests/test_*.py; do
    "$PYTHON" -X dev -W error -m unittest -v "$file" >"$scratch/out" 2>&1
    status=$?
    sed -nE 's/^(test_[A-Za-z0-9_]+) .*\.\.\. ok$/ok \1/p; s/^(test_[A-Za-z0-9_]+) .*\.\.\. (FAIL|ERROR)$/not ok \1/p; s/^(test_[A-Za-z0-9_]+) .*\.\.\. skipped .(.*).$/skip \1: \2/p' "$scratch/out"
    [ $status -eq 0 ] || { echo "not ok ${file##*/}"; sed 's/^/    | /' "$scratch/out" | grep -v '\.\.\. ok$' | head -n 60; }
done

installs_by_pip() {
    "$PYTHON" -m venv --system-site-packages "$scratch/venv" >"$scratch/out" 2>"$scratch/err" &&
        "$scratch/venv/bin/python" -m pip install -q --disable-pip-version-check --no-index --no-deps ./bindings/python >>"$scratch/out" 2>>"$scratch/err" &&
        (cd "$scratch" && env -u PYTHONPATH -u LEAT_LIBRARY venv/bin/python -c 'import leat; print(leat.__file__, leat.cpu_count())') >"$scratch/out" 2>>"$scratch/err" &&
        out_has /site-packages/leat/ && out_has ' [1-9]'
}
if "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null; then check installs_by_pip installs_by_pip
else echo "skip installs_by_pip: no venv (Debian: python3-venv)"; fi

model_example_agrees() { c_example run_model "$MODEL" && "$PYTHON" examples/python/run_model.py "$MODEL" >"$scratch/py" 2>>"$scratch/err" && same_output c py; }
check model_example_agrees model_example_agrees
generate_example_agrees() {
    c_example generate "$LM" 'Once upon a time' && "$PYTHON" examples/python/generate.py "$LM" 'Once upon a time' >"$scratch/py" 2>>"$scratch/err" && same_output c py
}
if [ -n "$LM" ]; then check generate_example_agrees generate_example_agrees; else echo "skip generate_example_agrees: no language model"; fi
