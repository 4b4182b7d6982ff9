# For tests that start processes with mpirun, which source this file: ends the test, with the reason, where that is not
# possible; otherwise makes a folder that is removed at the end, goes there, and has `fail`. $longhand is the binary.
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
