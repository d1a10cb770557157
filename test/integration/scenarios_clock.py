"""Clocks that jump. This machine's own clock is never touched: a time namespace shifts the monotonic clock of one member, and
libfaketime, where it is installed, steps the wall clock of one."""
import datetime
import json
import os
import pathlib
import time

import netns
from harness import FAST, LIBC, Skip, check, last_error, wait_for
from load import Load
from scenarios_network import check_rejoins

CLONE_NEWTIME = 0x00000080
DAY_SECONDS = 86400
LEASES = {**FAST, "WHITEWATER_LEASE_READS": "true"}  # what depends on clocks most


def shift_monotonic_clock(seconds):
    """In the child, before exec: a time namespace whose monotonic and boot time are `seconds` ahead."""
    if LIBC.unshare(CLONE_NEWTIME) != 0:
        raise OSError(last_error(), "unshare of the time namespace")
    pathlib.Path("/proc/self/timens_offsets").write_text(f"monotonic {seconds} 0\nboottime {seconds} 0\n")
    descriptor = os.open("/proc/self/ns/time_for_children", os.O_RDONLY | os.O_CLOEXEC)
    netns.enter(descriptor, CLONE_NEWTIME)
    os.close(descriptor)


def check_time_namespaces():
    reason = netns.why_not()
    if reason is None and not pathlib.Path("/proc/self/ns/time").exists():
        reason = "this kernel has no time namespaces"
    if reason:
        raise Skip(reason)


def monotonic_offset(member):
    """The monotonic clock's offset that the running member lives with, in seconds."""
    lines = pathlib.Path(f"/proc/{member.process.pid}/timens_offsets").read_text().split("\n")
    return int(next(line.split()[1] for line in lines if line.startswith("monotonic")))


def scenario_other_monotonic_clock(context):
    """Members restarted with monotonic clocks years ahead or just begun, under load with lease reads: linearizable, all rejoin."""
    check_time_namespaces()
    begun = 5 - int(time.clock_gettime(time.CLOCK_MONOTONIC))
    with netns.cluster(context, environment=LEASES) as (cluster, _):
        cluster.start()
        with Load(cluster, seed=16) as load:
            for number, offset in enumerate((3000 * DAY_SECONDS, begun, DAY_SECONDS)):
                member = cluster.members[number]
                member.kill()
                member.before_exec.append(lambda offset=offset: shift_monotonic_clock(offset))
                member.start()
                check_rejoins(cluster, member, key=f"clock/{number}")
                check(monotonic_offset(member) == offset, f"{member.name} does not live in its time namespace: {monotonic_offset(member)}")
                # Elections and leases are what reads that clock.
                leader = cluster.leader()
                leader.kill()
                cluster.other_leader(leader)
                leader.start()
                cluster.wait_ready(seconds=30)
        print(f"    {load.verify()}")


def libfaketime():
    """The library for programs with threads, as Debian installs it."""
    found = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise Skip("libfaketime is missing; ./dev install brings it")
    return found[0]


def wall_clock_offset(member):
    """By how much the newest line of the member's log is ahead of this machine's clock, in seconds."""
    stamp = datetime.datetime.fromisoformat(json.loads(member.process.lines()[-1])["ts"].replace("Z", "+00:00"))
    return stamp.timestamp() - time.time()


def scenario_wall_clock_steps(context):
    """The wall clock of the leader steps a day ahead, then as far back beyond the start, under load: nobody notices; reads stay linearizable."""
    library = libfaketime()
    with netns.cluster(context, environment=LEASES) as (cluster, _):
        steps = {member: cluster.folder / f"{member.name}.clock" for member in cluster.members}
        for member, path in steps.items():
            path.write_text("+0\n")
            member.environment = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(path), "FAKETIME_NO_CACHE": "1",
                                  "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        cluster.start()
        leader = cluster.leader()
        follower = next(member for member in cluster.members if member is not leader)
        term = leader.status()["raftTerm"]
        with Load(cluster, seed=17) as load:
            # libfaketime moves the absolute timers of timerfd, too, by which Asio on epoll says "at once". A step back by more than the
            # machine is up puts these into the future, which no wall clock can.
            size = min(DAY_SECONDS, int(time.clock_gettime(time.CLOCK_MONOTONIC) / 2))
            for step in (size, -size):
                before = load.acknowledged_count
                steps[leader].write_text(f"{step:+d}\n")
                wait_for("writes after the step", lambda: load.acknowledged_count > before + 50, 20)
                # A restart of another member makes the leader write a line, which shows its clock.
                follower.kill()
                follower.start()
                cluster.wait_ready(seconds=30)
                wait_for("the leader's wall clock has stepped", lambda s=step: abs(wall_clock_offset(leader) - s) < size / 2, 20)
        print(f"    {load.verify()}")
        print(f"    leader {'kept' if cluster.leader() is leader else 'changed'}, term {term} to {leader.status()['raftTerm']}")
