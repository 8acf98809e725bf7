#!/bin/bash
# A SLURM of one node on the loopback interface, for tests. Debian or Ubuntu, as root, without systemd or cgroups.
#
#   tests/slurm/start_slurm.sh [FOLDER]   install what is missing, start munged, slurmctld and slurmd; then
#   export SLURM_CONF=FOLDER/slurm.conf   for sbatch, squeue and the tests
#   tests/slurm/start_slurm.sh --stop [FOLDER]
#
# Jobs run as root on this machine. Nothing listens on another interface than the loopback one.
set -euo pipefail

stop=false
if [ "${1:-}" = --stop ]; then stop=true; shift; fi
folder=$(realpath -m "${1:-/tmp/degu-slurm}")
daemons="slurmd slurmctld munged"

end() {
  for daemon in $daemons; do
    if [ -f "$folder/$daemon.pid" ]; then kill "$(cat "$folder/$daemon.pid")" 2>/dev/null || true; fi
    rm -f "$folder/$daemon.pid"
  done
}

if $stop; then end; exit 0; fi

if ! command -v slurmctld slurmd munged sbatch >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  # the packages start no service of their own here
  apt-get install -q -y --no-install-recommends slurm-wlm munge
fi

end
mkdir -p "$folder/state" "$folder/spool" "$folder/munge"
chmod 755 "$folder"
chmod 700 "$folder/munge"
if [ ! -s "$folder/munge/munge.key" ]; then
  (umask 077; head -c 1024 /dev/urandom >"$folder/munge/munge.key")
fi
export MUNGE_SOCKET="$folder/munge/munge.socket"
host=$(hostname -s)
cpus=$(nproc)
memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)

cat >"$folder/slurm.conf" <<CONF
ClusterName=degu
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmctldParameters=enable_configless
CommunicationParameters=NoInAddrAny
AuthType=auth/munge
AuthInfo=socket=$MUNGE_SOCKET
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=5
JobRequeue=1
RequeueExit=144
KillWait=2
MinJobAge=3600
ReturnToService=2
MpiDefault=none
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF="$folder/slurm.conf"

munged --force --key-file="$folder/munge/munge.key" --socket="$MUNGE_SOCKET" --pid-file="$folder/munged.pid" \
  --log-file="$folder/munged.log" --seed-file="$folder/munge/munge.seed"
slurmctld
slurmd
for _ in $(seq 60); do
  if [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ]; then
    echo "export SLURM_CONF=$SLURM_CONF"
    exit 0
  fi
  sleep 0.5
done
echo "SLURM did not come up; see $folder/slurmctld.log and $folder/slurmd.log" >&2
exit 1
