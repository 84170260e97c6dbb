#!/bin/bash
# test_headers.sh - each public header alone compiles as C11 and, where a C++ compiler is at hand, as C++17.
cd "$(dirname "$0")/../.." || exit 1
flags=(-fsyntax-only -Wall -Wextra -Wpedantic -Werror -Iinclude)
for header in include/leat/*.h; do
    name=${header##*/}
    source="#include \"leat/$name\""
    if printf '%s\nint main(void) { return 0; }\n' "$source" | ${CC:-cc} -std=c11 "${flags[@]}" -x c -; then echo "ok $name as C11"; else echo "not ok $name as C11"; fi
    if ! command -v "${CXX:-c++}" >/dev/null; then echo "skip $name as C++17: no C++ compiler (make check installs one)"
    elif printf '%s\nint main() { return 0; }\n' "$source" | ${CXX:-c++} -std=c++17 "${flags[@]}" -x c++ -; then echo "ok $name as C++17"
    else echo "not ok $name as C++17"; fi
done
