#!/bin/sh
# Installs the packages that the build needs and this machine lacks, with apt-get; says nothing when none is missing.
# Where there is no apt-get, lists them and stops.
set -eu

packages="cmake ninja-build g++ libhwy-dev libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libfmt-dev libutf8proc-dev liblinear-dev liblbfgs-dev libcurl4-openssl-dev libssl-dev libzip-dev libhdf5-dev libkissfft-dev libopenmpi-dev openmpi-bin libgtest-dev"

# The thorough tests also build with clang, for its fuzzer, and compile exported C for 32 bits. (GCC's multilib packages
# cannot be installed beside its cross compilers, so that no other build asks for them.)
if [ "${1:-}" = thorough ]; then
  packages="$packages clang"
  [ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ] || packages="$packages gcc-multilib"
fi

if ! command -v apt-get >/dev/null 2>&1; then
  # Someone on another system may have installed these already; the mark says so.
  if [ -n "${LONGHAND_DEPS_INSTALLED:-}" ]; then exit 0; fi
  echo "This system has no apt-get. Longhand needs these packages, here under Debian's names:" >&2
  echo "  $packages" >&2
  echo "Install their equivalents, then run make again with LONGHAND_DEPS_INSTALLED=1." >&2
  exit 1
fi

# The Python package is built against the interpreter's headers, in an environment of its own.
if [ "${1:-}" = python ]; then packages="$packages python3 python3-dev python3-venv"; fi

missing=""
for package in $packages; do
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || { echo "These packages are missing, and installing them needs root:$missing" >&2; exit 1; }
  sudo=sudo
fi
echo "Installing$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086  # the names are words
$sudo apt-get install -qq -y --no-install-recommends $missing >/dev/null
