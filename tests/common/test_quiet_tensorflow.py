import os
import subprocess
import sys

from helpers import ROOT


def run_python(code: str) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_importing_tensorflow_says_nothing_and_stderr_comes_back():
    done = run_python(
        "import os\n"
        "from common.quiet_tensorflow import tf\n"
        "os.write(2, f'then {tf.constant(1).dtype.name}'.encode())"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "then int32")


QUIETLY = "import ctypes, os\nfrom common.quiet_tensorflow import quiet_stderr\n"


def test_what_was_said_before_an_exception_is_shown():
    done = run_python(
        QUIETLY + "with quiet_stderr():\n    os.write(2, b'libcuda is broken\\n')\n    1 / 0"
    )
    assert done.returncode == 1
    assert done.stderr.startswith("libcuda is broken\nTraceback")
    assert "ZeroDivisionError" in done.stderr


def test_a_crash_in_c_is_seen():
    done = run_python(QUIETLY + "with quiet_stderr():\n    ctypes.CDLL(None).abort()")
    assert done.returncode < 0
    assert "Fatal Python error: Aborted" in done.stderr and '"<string>", line 4' in done.stderr
