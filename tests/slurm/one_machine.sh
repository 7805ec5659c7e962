#!/bin/bash
# Sets up SLURM on this one machine, and submits a small study to it for real: every run must end, one that is told that
# its time is over must be queued again and end as the others do. To be run by hand, as root, on a machine of its own
# (Debian or Ubuntu), with dfedsam and the mpich wheel installed:
#   apt-get install slurmctld slurmd slurm-client munge
#   PYTHON=.venv/bin/python tests/slurm/one_machine.sh
set -euo pipefail
PYTHON=$(realpath -s "${PYTHON:-.venv/bin/python}")
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
WORK=$(mktemp -d /tmp/slurm.XXXXXX)
HOST=$(hostname -s)
export SLURM_CONF=$WORK/slurm.conf PYTHONPATH=$ROOT
unset OMP_NUM_THREADS

stop() {
    scancel --user root 2>/dev/null || true
    for daemon in slurmd slurmctld munged; do
        [ -f "$WORK/$daemon.pid" ] && kill "$(cat "$WORK/$daemon.pid")" 2>/dev/null || true
    done
}
trap stop EXIT

# munge: a key of its own, and a socket; the daemon wants folders that nobody else can write to
install -d -o munge -g munge -m 0755 /run/munge
install -d -o munge -g munge -m 0700 "$WORK/munge" /var/log/munge
chmod 0755 "$WORK"
dd if=/dev/urandom of="$WORK/munge/key" bs=1024 count=1 status=none
chown munge:munge "$WORK/munge/key" && chmod 0400 "$WORK/munge/key"
setpriv --reuid=munge --regid=munge --clear-groups munged --force --key-file="$WORK/munge/key" \
    --pid-file="$WORK/munge/munged.pid" --log-file="$WORK/munge/munged.log" --seed-file="$WORK/munge/seed"
ln -s munge/munged.pid "$WORK/munged.pid"

cat >"$SLURM_CONF" <<CONF
ClusterName=one
SlurmctldHost=$HOST(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$WORK/state
SlurmdSpoolDir=$WORK/spool
SlurmctldPidFile=$WORK/slurmctld.pid
SlurmdPidFile=$WORK/slurmd.pid
SlurmctldLogFile=$WORK/slurmctld.log
SlurmdLogFile=$WORK/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SlurmdParameters=config_overrides
MpiDefault=none
SchedulerParameters=sched_interval=2,bf_interval=2
KillWait=5
NodeName=$HOST NodeAddr=127.0.0.1 CPUs=8 State=UNKNOWN
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
printf 'CgroupPlugin=cgroup/v1\nIgnoreSystemd=yes\n' >"$WORK/cgroup.conf"
slurmctld -c
slurmd -c
for _ in $(seq 30); do sinfo --noheader --format %t | grep -q idle && break || sleep 1; done
timeout 30 srun --mpi=pmi2 -n 2 "$PYTHON" -c 'from mpi4py import MPI; assert MPI.COMM_WORLD.size == 2'

cd "$WORK"
cat >small.yaml <<'YAML'
base: {rounds: 400, peers: 8, checkpoint_every: 100, evaluate_every: 100, objective: {class_path: quadratic, init_args: {dim: 5}}}
grid: {topology: [ring, grid]}
seeds: 2
YAML
dfedsam() { "$PYTHON" -m dfedsam.launch.cli "$@"; }
dfedsam sweep small.yaml --slurm --partition cpu --ranks 2 --time 0:10:00
sed 's/rounds: 400/rounds: 20000/' small.yaml >long.yaml
sed -i 's/seeds: 2/seeds: [7]/; s/\[ring, grid\]/[ring]/' long.yaml
dfedsam sweep long.yaml --slurm --partition cpu --ranks 2 --time 0:10:00
for _ in $(seq 60); do dfedsam status studies/long | grep -q '1 running' && break || sleep 1; done
long=$(squeue --noheader --name dfedsam-long --format %A | head -n 1)
sleep 3
timeout 30 scancel --signal USR1 "$long" # as SLURM does shortly before a task's time is over
for _ in $(seq 240); do
    [ -z "$(squeue --noheader)" ] && break
    sleep 1
done
dfedsam status studies/small --all
dfedsam status studies/long --all
cat studies/long/logs/slurm-*.out
dfedsam status studies/small | grep -q '4 runs: 4 done'
dfedsam status studies/long | grep -q '1 runs: 1 done'
grep -q 'stopped as asked' studies/long/logs/slurm-*.out
dfedsam sweep long.yaml --out unbroken
without_time() { sed 's/, "seconds": [^}]*//' "$1"/runs/*/metrics.jsonl; }
[ "$(without_time studies/long)" = "$(without_time unbroken)" ]
dfedsam sweep small.yaml --slurm | grep -q 'all runs are done'
echo "SLURM: all is well"
