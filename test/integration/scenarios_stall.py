"""Members that stop for a while without being gone: a disk that does not answer, a process that does not run."""
import contextlib
import os
import signal
import subprocess
import time

import netns
from disk import MAX_FROZEN_SECONDS, Disk
from harness import DEFAULTS, FAST, wait_for
from load import GapWriter, Load
from scenarios_network import check_rejoins, figure_of_gap, ms

STALL_SECONDS = 2
PAUSE_SECONDS = 3
# Where a leader's disk that does not answer makes it give up leadership: after so long, and the others lead after another election.
DISK_STALL_LIMIT_MS = 500


def has_disk_watchdog(context):
    """Whether this executable gives up leadership when its disk does not answer."""
    return "--disk-stall-ms" in subprocess.run([context.binary, "serve", "--help"], capture_output=True, text=True, timeout=10).stdout


def wait_while_frozen(what, probe, since):
    """After MAX_FROZEN_SECONDS the disk thaws by itself; what happens then proves nothing."""
    wait_for(f"{what} while the disk stands still", probe, max(0.1, since + MAX_FROZEN_SECONDS - 1 - time.monotonic()))


def stall_disk(context, of_leader):
    """Every member has a disk of its own; that of the leader or of a follower is frozen under load and thawed again."""
    what = f"{STALL_SECONDS} s disk stall of {'the leader' if of_leader else 'a follower'}"
    watchdog = has_disk_watchdog(context)
    environment = {**DEFAULTS, **({"WHITEWATER_DISK_STALL_MS": str(DISK_STALL_LIMIT_MS)} if watchdog else {})}
    with contextlib.ExitStack() as stack:
        disks = [stack.enter_context(Disk(context.folder, f"{'leader' if of_leader else 'follower'}-{i}")) for i in range(3)]
        cluster, _ = stack.enter_context(netns.cluster(context, environment=environment))
        for disk, member in zip(disks, cluster.members):
            disk.attach(member)
        cluster.start()
        leader = cluster.leader()
        stalled = leader if of_leader else next(member for member in cluster.members if member is not leader)
        others = [member for member in cluster.members if member is not stalled]
        with Load(cluster, clients=3, seed=13, pause_seconds=0.01) as load, GapWriter(cluster.members if of_leader else others) as writer:
            quiet = time.monotonic()
            writer.wait_for_more("writes before the stall", count=100)
            with disks[stalled.ordinal].frozen():
                started = time.monotonic()
                if not of_leader or watchdog:
                    wait_while_frozen("writes go on", lambda: writer.count_since(started + STALL_SECONDS / 4) > 20, started)
                if watchdog:
                    wait_while_frozen(f"{stalled.name} is not ready", lambda: not stalled.is_ready(), started)
                if watchdog and of_leader:
                    wait_while_frozen("leadership goes to another", lambda: cluster.leader_now(others) in others, started)
                time.sleep(max(0, started + STALL_SECONDS - time.monotonic()))
                ended = time.monotonic()
                during = sum(started < when < ended for when, _ in writer.acknowledged)
            writer.wait_for_more("writes after the stall", seconds=30)
            check_rejoins(cluster, stalled)
            figure_of_gap(context, what, writer, started)
            context.figure(f"writes, {what}", f"{during}; median before {ms(writer.median(quiet, started))}, during "
                           f"{ms(writer.median(started, ended) or float('nan'))}")
        print(f"    {load.verify()}")


def scenario_disk_of_a_follower(context):
    """The disk of a follower does not answer for two seconds: writes go on by the disks of the other two."""
    stall_disk(context, of_leader=False)


def scenario_disk_of_the_leader(context):
    """The disk of the leader does not answer for two seconds: nothing is lost, and with the disk watchdog writes go on by others."""
    stall_disk(context, of_leader=True)


def pause_leader(context, lease_reads):
    """SIGSTOP; requests reach the stopped process, which answers them when it is continued, long after it was replaced."""
    with netns.cluster(context, environment={**FAST, "WHITEWATER_LEASE_READS": lease_reads}) as (cluster, _):
        cluster.start()
        with Load(cluster, clients=4, seed=14) as load:
            leader = cluster.leader()
            others = [member for member in cluster.members if member is not leader]
            with GapWriter(others) as writer:
                started = time.monotonic()
                os.kill(leader.process.pid, signal.SIGSTOP)
                try:
                    cluster.other_leader(leader, 20, among=others)
                    before = load.acknowledged_count
                    wait_for("writes through the new leader", lambda: load.acknowledged_count > before + 20, 20)
                    # The kernel takes their requests, after writes that the stopped leader has not seen.
                    readers = load.add_readers(leader, 6, timeout=20)
                    time.sleep(max(0.3, started + PAUSE_SECONDS - time.monotonic()))
                finally:
                    os.kill(leader.process.pid, signal.SIGCONT)
                continued = time.monotonic()
                wait_for("the old leader answers those who waited",
                         lambda: all(any(op.start < continued for op in list(reader.history)) for reader in readers), 30)
                check_rejoins(cluster, leader)
                figure_of_gap(context, f"SIGSTOP of the leader, lease reads {lease_reads}", writer, started)
        waited = [op for reader in readers for op in reader.history if op.start < continued]
        context.figure("reads sent to the stopped leader, by outcome",
                       {outcome: sum(op.outcome == outcome for op in waited) for outcome in ("ok", "failed", "unknown")})
        print(f"    {load.verify()}")


def scenario_leader_paused(context):
    """SIGSTOP of the leader for three seconds, reads by asking a majority: another leads, no stale read, the old one rejoins."""
    pause_leader(context, "false")


def scenario_leader_paused_with_lease_reads(context):
    """SIGSTOP of the leader for three seconds, reads on the lease: another leads, no stale read, the old one rejoins."""
    pause_leader(context, "true")
