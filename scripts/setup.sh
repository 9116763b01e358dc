# Sourced by the other scripts: makes .venv with what a requirements file pins, or reuses it.
#
#   source scripts/setup.sh requirements.txt
#
# Leaves $python, the environment's interpreter, and the project's folder as the current one.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$PWD/.venv/bin/python

die() {
  printf '%s: error: %s\n' "$(basename "$0")" "$1" >&2
  exit 1
}

# Prints the first interpreter that TensorFlow 2.15.1 supports and that can make environments.
# A name on the PATH may be a version manager's stub that only says what is not installed.
find_python() {
  local name
  for name in python3.11 python3.10 python3.9 python3 python; do
    if "$name" -c 'import sys, venv, ensurepip; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 11))' \
      >/dev/null 2>&1; then
      printf '%s\n' "$name"
      return
    fi
  done
  return 1
}

make_environment() {
  local interpreter
  rm -rf .venv
  if interpreter=$(find_python); then
    echo "Making .venv with $("$interpreter" --version) ..."
    "$interpreter" -m venv .venv
  elif command -v uv >/dev/null; then
    echo "No Python 3.9 to 3.11 here: making .venv with one that uv brings ..."
    uv venv --quiet --seed --python 3.11 .venv
  else
    die "TensorFlow 2.15.1 needs Python 3.9, 3.10 or 3.11, with venv, and none is on the PATH.
Get one with uv (https://docs.astral.sh/uv), which needs no administrator:
  curl -LsSf https://astral.sh/uv/install.sh | sh
or from your system, on Debian and Ubuntu for example:
  sudo apt-get install python3 python3-venv
and start this again."
  fi
}

# Installed are the requirements whose text stands in the marker; an interrupted installation
# leaves none, and is done again.
install_requirements() {
  local marker=.venv/installed-$1
  if [[ -x $python && -f $marker ]] && cat requirements*.txt | cmp -s - "$marker"; then
    return
  fi
  if [[ ! -x $python ]] || ! "$python" -c '' 2>/dev/null; then
    make_environment
  fi
  echo "Installing $1 (TensorFlow alone is about 500 MB) ..."
  "$python" -m pip install --quiet --disable-pip-version-check --requirement "$1" ||
    die "the installation failed; see above"
  cat requirements*.txt >"$marker"
}

install_requirements "$1"
