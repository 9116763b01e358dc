# Sourced by the other scripts: makes .venv with what a requirements file pins, or reuses it.
#
#   source scripts/setup.sh requirements.txt
#
# The environment's interpreter can import the project then. Leaves $python, the environment's interpreter, and the project's folder as the current one.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$PWD/.venv/bin/python

die() {
  printf '%s: error: %s\n' "$(basename "$0")" "$1" >&2
  exit 1
}

# Whether an interpreter is of a version for which TensorFlow is released.
fits() {
  "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

# Prints the first interpreter on the PATH with which a command succeeds. A name on the PATH may be
# a version manager's stub that only says what is not installed.
find_python() {
  local name
  for name in python3.13 python3.12 python3.11 python3.10 python3 python; do
    if "$@" "$name" >/dev/null 2>&1; then
      printf '%s\n' "$name"
      return
    fi
  done
  return 1
}

makes_environments() { fits "$1" && "$1" -c 'import venv, ensurepip'; }
has_pip() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 8))' && "$1" -m pip --version; }

# Prints the path of uv: the one on the PATH, or one that any Python with pip gets into .venv-uv.
find_uv() {
  local interpreter
  if command -v uv; then
    return
  fi
  interpreter=$(find_python has_pip) || return 1
  "$interpreter" -m pip install --quiet --disable-pip-version-check --target .venv-uv uv >&2 &&
    printf '%s\n' "$PWD/.venv-uv/bin/uv"
}

make_environment() {
  local interpreter uv
  rm -rf .venv
  if interpreter=$(find_python makes_environments); then
    echo "Making .venv with $("$interpreter" --version) ..."
    "$interpreter" -m venv .venv
    return
  fi
  echo "No Python 3.10 to 3.13 with venv is on the PATH: making .venv with uv ..."
  interpreter=$(find_python fits) || interpreter=3.13 # uv downloads what is not there
  if ! { uv=$(find_uv) && "$uv" venv --quiet --seed --python "$interpreter" .venv; }; then
    die "TensorFlow needs Python 3.10, 3.11, 3.12 or 3.13 with venv; none is on the PATH, and uv
could not bring one (see above; it needs the internet). Install Python or uv and start this again:
  Debian 12 and 13, Ubuntu 22.04 and 24.04:  sudo apt-get install python3-venv
  Fedora:                                    sudo dnf install python3.13
  macOS with Homebrew:                       brew install python@3.13
  any of them, without an administrator:     curl -LsSf https://astral.sh/uv/install.sh | sh"
  fi
  rm -rf .venv-uv
}

# Installed are the requirements whose text stands in the marker; an interrupted installation
# leaves none, and is done again.
install_requirements() {
  local marker=.venv/installed-$1
  if [[ -x $python && -f $marker ]] && cat requirements*.txt | cmp -s - "$marker"; then
    return
  fi
  if [[ ! -x $python ]] || ! fits "$python"; then
    make_environment
  fi
  echo "Installing $1 (about 2.5 GB with TensorFlow) ..."
  "$python" -m pip install --quiet --disable-pip-version-check --requirement "$1" ||
    die "the installation failed; see above"
  cat requirements*.txt >"$marker"
}

# Lets scripts, benchmarks and docs import the project, from whatever folder they are started. The
# path is relative to the .pth file: it holds after the project was moved. The programs in the
# project's folder need none of this.
make_importable() {
  local folder
  for folder in .venv/lib/python3.*/site-packages; do
    if [[ -d $folder ]]; then
      printf '%s\n' ../../../.. ../../../../scripts >"$folder/drawings.pth"
    fi
  done
}

install_requirements "$1"
make_importable
