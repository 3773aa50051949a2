# shellcheck shell=bash
# Sourced by app/run and tests/run: installs what is missing, configures and builds. Everything that
# it prints goes to stderr.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

packages=(
  build-essential cmake ninja-build ccache
  libfmt-dev nlohmann-json3-dev libsqlite3-dev zlib1g-dev libeigen3-dev libboost-program-options-dev
  libncurses-dev libvterm-dev
  libopenmpi-dev openmpi-bin
  coinor-libcbc-dev
  libgtest-dev libbenchmark-dev
)

missing_packages() {
  local package
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
      echo "$package"
  done
}

install_packages() {
  local missing as_root=()
  mapfile -t missing < <(missing_packages)
  [[ ${#missing[@]} -gt 0 ]] || return 0
  if [[ $(id -u) -ne 0 ]]; then
    # Asking for a password needs a terminal.
    if command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; then
      as_root=(sudo)
    fi
  fi
  if ! command -v apt-get >/dev/null || [[ $(id -u) -ne 0 && ${#as_root[@]} -eq 0 ]]; then
    echo "These Debian packages are missing and cannot be installed from here: ${missing[*]}" >&2
    echo "As root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  echo "Installing ${missing[*]}" >&2
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q)
  "${apt[@]}" update >&2
  "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2
}

# build TARGET...: the release preset, with all cores.
build() {
  local quiet=()
  if [[ ! -f $root/build/release/build.ninja ]]; then
    (cd "$root" && cmake --preset release) >&2
  fi
  if [[ ! -t 2 ]]; then
    echo "Building $*" >&2
    quiet=(-- --quiet)
  fi
  cmake --build "$root/build/release" -j "$(nproc)" --target "$@" "${quiet[@]}" >&2
}
