"""check_abi.py CC: compares every ctypes structure of the Python binding with what a C compiler makes of the headers: size, offsets, field sizes."""
import ctypes
import inspect
import subprocess
import sys
import tempfile

from leat import _abi


def structures():
    for _, kind in inspect.getmembers(_abi, inspect.isclass):
        if issubclass(kind, ctypes.Structure) and hasattr(kind, "c_name"):
            yield kind


def main(compiler):
    lines, expected = ['#include <leat/leat.h>', '#include <stdio.h>', 'int main(void) {'], []
    for kind in structures():
        lines.append(f'printf("%zu\\n", sizeof({kind.c_name}));')
        expected.append((f"sizeof({kind.c_name})", ctypes.sizeof(kind)))
        for name, _ in kind._fields_:
            field = getattr(kind, name)
            c_field = getattr(kind, "c_fields", {}).get(name, name)
            lines.append(f'printf("%zu\\n%zu\\n", offsetof({kind.c_name}, {c_field}), sizeof((({kind.c_name} *)0)->{c_field}));')
            expected += [(f"offsetof({kind.c_name}, {c_field})", field.offset), (f"sizeof {kind.c_name}.{c_field}", field.size)]
    lines.append("return 0; }")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([compiler, "-std=c11", "-Iinclude", "-x", "c", "-", "-o", f"{folder}/abi"], input="\n".join(lines), text=True, check=True)
        found = [int(line) for line in subprocess.check_output([f"{folder}/abi"], text=True).split()]
    wrong = [f"{what}: C has {c}, Python {python}" for (what, python), c in zip(expected, found) if python != c]
    print("\n".join(wrong) or f"{len(expected)} sizes and offsets agree")
    return bool(wrong) or len(found) != len(expected)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
