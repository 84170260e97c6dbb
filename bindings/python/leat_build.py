"""Makes the wheel of `pip install ./bindings/python`; needs no other package and no network (PEP 517).

The wheel holds the package and the library: the one that LEAT_LIBRARY names, else build/libleat.so of this checkout, which `make` builds first when it is
missing.  An editable install (-e) uses the checkout in place.
"""
import base64
import hashlib
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROJECT = (HERE / "pyproject.toml").read_text()


def _field(name):
    return re.search(rf'^{name} = "(.*)"', PROJECT, re.M).group(1)


NAME, VERSION = _field("name"), _field("version")
INFO = f"{NAME}-{VERSION}.dist-info"
METADATA = f"""Metadata-Version: 2.1
Name: {NAME}
Version: {VERSION}
Summary: {_field("description")}
License: MIT
Requires-Python: {_field("requires-python")}
Requires-Dist: numpy>=1.20
"""


def _tag():
    return "py3-none-" + re.sub(r"[-.]", "_", sysconfig.get_platform())


def _library():
    named = os.environ.get("LEAT_LIBRARY")
    if named:
        return Path(named)
    built = ROOT / "build" / "libleat.so"
    if not built.exists():
        subprocess.run(["make", "-C", str(ROOT), f"-j{os.cpu_count()}", "build/libleat.so"], check=True)
    return built


def _stripped(library):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "libleat.so"
        shutil.copyfile(library, copy)
        if shutil.which("strip"):
            subprocess.run(["strip", "--strip-unneeded", str(copy)], check=False)
        return copy.read_bytes()


def _write(directory, tag, files):
    name = f"{NAME}-{VERSION}-{tag}.whl"
    files = {**files, f"{INFO}/METADATA": METADATA.encode(),
             f"{INFO}/WHEEL": f"Wheel-Version: 1.0\nGenerator: leat_build\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()}
    record = "".join(f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
                     for path, data in files.items()) + f"{INFO}/RECORD,,\n"
    with zipfile.ZipFile(Path(directory) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in {**files, f"{INFO}/RECORD": record.encode()}.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (0o755 if path.endswith(".so") else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, data)
    return name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    files = {str(path.relative_to(HERE)): path.read_bytes() for path in sorted((HERE / "leat").glob("*.py"))}
    files["leat/py.typed"] = b""
    files["leat/_native/libleat.so"] = _stripped(_library())
    return _write(wheel_directory, _tag(), files)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _write(wheel_directory, "py3-none-any", {f"{NAME}.pth": f"{HERE}\n".encode()})


def build_sdist(sdist_directory, config_settings=None):
    raise RuntimeError("the package is built from a checkout of Leat: pip install ./bindings/python")
