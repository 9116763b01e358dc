"""scripts/setup.sh with the interpreters that machines have; programs on the PATH are stand-ins."""

import pathlib
import shutil
import subprocess
import sys

import pytest
from helpers import ROOT

# A Python for which TensorFlow is released, one that is too old or too new, one without ensurepip.
FITTING = 'case "$*" in *"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python;; esac'
OTHER = 'case "$*" in *version_info\\[:2\\]*) exit 1;; *ensurepip*) exit 0;; esac'
WITHOUT_VENV = 'case "$*" in *ensurepip*) exit 1;; esac'
UV = 'case "$*" in *venv*) mkdir -p .venv/bin; printf "#!/bin/sh\\n" >.venv/bin/python;'
UV += " chmod +x .venv/bin/python;; esac"
NO_INTERNET = 'case "$*" in *--target*) exit 1;; esac'


@pytest.fixture
def run_setup(tmp_path):
    """Runs setup.sh with some programs on the PATH; returns the process and their command lines."""
    project, programs = tmp_path / "project", tmp_path / "bin"
    (project / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts/setup.sh", project / "scripts")
    (project / "requirements.txt").write_text("tensorflow\n")
    script = project / "scripts/quickstart"
    script.write_text('set -euo pipefail\nsource scripts/setup.sh requirements.txt\necho "$python"')
    programs.mkdir()
    for name in ("bash", "sh", "dirname", "basename", "rm", "mkdir", "cp", "cat", "cmp", "chmod"):
        (programs / name).symlink_to(shutil.which(name))

    def run(**bodies: str) -> tuple[subprocess.CompletedProcess, str]:
        calls = tmp_path / "calls"
        for name, body in bodies.items():
            program = programs / name.replace("_", ".")
            program.write_text(f'#!/bin/sh\necho {program.name} "$@" >>{calls}\n{body}\n')
            program.chmod(0o755)
        done = subprocess.run(
            ["bash", str(script)],
            cwd=project,
            env={"PATH": str(programs)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done, calls.read_text() if calls.exists() else ""

    return run


@pytest.mark.parametrize("name", ["python3_13", "python3_10", "python3", "python"])
def test_a_fitting_python_makes_the_environment_under_whatever_name(run_setup, name):
    done, calls = run_setup(**{name: FITTING})
    assert done.returncode == 0, done.stderr
    assert f"{name.replace('_', '.')} -m venv .venv" in calls
    assert pathlib.Path(done.stdout.splitlines()[-1]).parts[-3:] == (".venv", "bin", "python")


def test_a_fitting_python_is_taken_where_another_is_the_default(run_setup):
    done, calls = run_setup(python3=OTHER, python3_12=FITTING)
    assert done.returncode == 0
    assert "python3.12 -m venv .venv" in calls and "python3 -m venv" not in calls


def test_the_uv_that_is_there_brings_a_python(run_setup):
    done, calls = run_setup(python3=OTHER, uv=UV)
    assert done.returncode == 0, done.stderr
    assert "uv venv --quiet --seed --python 3.13 .venv" in calls


def test_uv_makes_the_environment_of_a_python_without_ensurepip(run_setup):
    done, calls = run_setup(python3_11=WITHOUT_VENV, uv=UV)
    assert done.returncode == 0, done.stderr
    assert "uv venv --quiet --seed --python python3.11 .venv" in calls


def test_without_python_or_internet_one_message_says_what_to_do(run_setup):
    done, calls = run_setup(python3=OTHER + "\n" + NO_INTERNET)
    assert done.returncode == 1
    assert "python3 -m pip install" in calls and "--target .venv-uv uv" in calls
    assert "TensorFlow needs Python 3.10, 3.11, 3.12 or 3.13" in done.stderr
    assert "apt-get install python3-venv" in done.stderr and "brew install" in done.stderr


def test_an_environment_of_a_python_that_no_longer_fits_is_made_anew(run_setup, tmp_path):
    old = tmp_path / "project/.venv/bin/python"
    old.parent.mkdir(parents=True)
    old.write_text(f"#!/bin/sh\n{OTHER}\n")
    old.chmod(0o755)
    done, calls = run_setup(python3=FITTING)
    assert done.returncode == 0 and "python3 -m venv .venv" in calls


def test_the_environment_finds_the_project_even_after_it_was_moved(run_setup, tmp_path):
    done, _ = run_setup(python3=f"{FITTING}\nmkdir -p .venv/lib/python3.12/site-packages")
    assert done.returncode == 0, done.stderr
    moved = (tmp_path / "project").rename(tmp_path / "moved")
    code = "import site, sys; site.addsitedir(sys.argv[1]); print(*sys.path, sep='\\n')"
    folder = moved / ".venv/lib/python3.12/site-packages"
    python = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True)
    assert {str(moved), str(moved / "scripts")} < set(python.stdout.splitlines())
