# For tests that start processes with mpirun, which source this file: ends the test, with the reason, where that is not
# possible; otherwise it makes a folder that is removed at the end, and goes there. $longhand is the binary.
if ! command -v mpirun >/dev/null || "$longhand" info | grep -q '^MPI *none'; then
  echo "not tested: there is no mpirun here, or longhand was built without MPI"
  exit 0
fi
# Open MPI's ways to let root, and more processes than processors, be. Others need none.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_btl_base_warn_component_unused=0
# What MPI itself never frees is no leak of ours.
export ASAN_OPTIONS="detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
if ! mpirun -n 2 true >/dev/null 2>&1; then
  echo "not tested: mpirun cannot start processes here"
  exit 0
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
fail() {
  echo "$1"
  [ ! -f log ] || cat log
  exit 1
}
# wait_until SECONDS COMMAND ...: waits until the command succeeds, and fails if it does not within that time.
wait_until() {
  tries=0 most=$((10 * $1))
  shift
  until "$@"; do
    tries=$((tries + 1))
    [ $tries -lt $most ] || return 1
    sleep 0.1
  done
}
# expect_error TEXT CODE ARGUMENT ...: mpirun with these arguments prints one error, which begins so, and returns the code.
expect_error() {
  expected=$1 code=$2
  shift 2
  found=0
  mpirun "$@" >log 2>&1 || found=$?
  [ $found -eq "$code" ] || fail "expected exit code $code, found $found"
  [ "$(grep -c '^error: ' log)" = 1 ] || fail "expected one error"
  grep -qF "error: $expected" log || fail "expected: error: $expected"
}
