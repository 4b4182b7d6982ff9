#!/bin/sh
# Runs a command as MPI's ranks on several hosts that this machine emulates, one rank on each, over TCP:
#   bench/hosts.sh [--build build/release] [--hosts 2] [--ranks N] [--mbit 1000] [--ms 1] [--limit SECONDS]
#                  [--report FILE] COMMAND ...
# --ranks is their number on each host. Returns what mpirun returns; 124 where the limit (600 s) was reached; 77 where this
# machine lacks what is needed, with one line that says what. Whatever ends this script ends all that it has started.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

# MPI's launch agent, in place of ssh: `hosts.sh --on 10.99.0.2 COMMAND ...` runs a shell command on that host.
if [ "${1:-}" = --on ]; then
  host=${2##*.}
  shift 2
  keeper=$(echo "$LONGHAND_HOSTS" | cut -d ' ' -f $((host - 1)))
  exec nsenter --target "$keeper" --net --uts sh -c "$*"
fi

# On the first host: mpirun with what keeps it on the emulated network, and sends messages up to 1 MiB at once
# (docs/scaling.md).
if [ "${1:-}" = --mpirun ]; then
  hosts=$2
  ranks=$3
  shift 3
  list=$(seq -s , -f "10.99.0.%g:$ranks" "$hosts")
  yield=0  # whether ranks that wait leave their processor to others
  [ $((hosts * ranks)) -le "$(nproc)" ] || yield=1
  exec mpirun --allow-run-as-root --host "$list" --map-by node --bind-to none \
    --mca plm_rsh_agent "$here/hosts.sh --on" --mca plm_rsh_no_tree_spawn 1 \
    --mca pml ob1 --mca btl tcp,self --mca btl_tcp_if_include link0 --mca oob_tcp_if_include link0 \
    --mca btl_tcp_flags send --mca btl_tcp_eager_limit 1048576 --mca btl_tcp_rndv_eager_limit 1048576 \
    --mca btl_tcp_max_send_size 1048576 --mca mpi_yield_when_idle $yield --mca orte_tmpdir_base /dev/shm "$@"
fi

build=$here/../build/release
hosts=2 ranks=1 mbit=1000 ms=1 limit=600 report=
while [ $# -gt 0 ]; do
  case $1 in
    --build) build=$2 ;;
    --hosts) hosts=$2 ;;
    --ranks) ranks=$2 ;;
    --mbit) mbit=$2 ;;
    --ms) ms=$2 ;;
    --limit) limit=$2 ;;
    --report) report=$2 ;;
    -*) echo "hosts.sh: no option $1; the first lines of $0 list them" >&2; exit 2 ;;
    *) break ;;
  esac
  shift 2
done
[ $# -gt 0 ] || { echo "hosts.sh: no command; the first lines of $0 say how to call it" >&2; exit 2; }

cannot() { echo "this machine cannot emulate hosts: $1" >&2; exit 77; }
link=$build/bench/longhand_link
[ -x "$link" ] || cannot "it has no $link (build the target longhand_link)"
for tool in mpirun nsenter; do
  command -v $tool >/dev/null || cannot "it has no $tool"
done
exec "$link" --hosts "$hosts" --mbit "$mbit" --ms "$ms" --limit "$limit" ${report:+--report "$report"} \
  "$here/hosts.sh" --mpirun "$hosts" "$ranks" "$@"
