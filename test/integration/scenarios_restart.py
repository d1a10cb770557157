"""What a restart costs the clients: the longest time without an acknowledged write, planned and unplanned.
WHITEWATER_RESTART_ROUNDS says how often every member is restarted (1)."""
import os
import time

import netns
from harness import DEFAULTS, check
from load import GapWriter, Load
from scenarios_network import ms

ROUNDS = int(os.environ.get("WHITEWATER_RESTART_ROUNDS", "1"))
CRASHES = 2
# Against a cluster that stands still. How long a gap really was is printed.
GAP_SECONDS_MAX = 15


def measured_gap(context, what, writer, since):
    writer.wait_for_more(f"writes after {what}")
    seconds = writer.gap(since)
    check(seconds < GAP_SECONDS_MAX, f"{seconds:.1f} s without a write: {what}")
    return seconds


def scenario_rolling_restart(context):
    """SIGTERM to each member in turn under load, waiting until it is ready again; then kill -9 of the leader, for comparison."""
    with netns.cluster(context, environment=DEFAULTS) as (cluster, _):
        cluster.start()
        planned, crashes = [], []
        with Load(cluster, clients=3, seed=15, pause_seconds=0.005) as load, GapWriter(cluster.members) as writer:
            for member in cluster.members * ROUNDS:
                was_leader = cluster.leader() is member
                started = time.monotonic()
                code = member.stop()
                check(code == 0, f"{member.name}: exit {code}: {member.last_lines()}")
                member.start()
                cluster.wait_ready(seconds=30)
                gap = measured_gap(context, f"SIGTERM of {member.name}", writer, started)
                planned.append(f"{ms(gap)}{' (leader)' if was_leader else ''}")
            failed = load.failed()
            for _ in range(CRASHES):
                leader = cluster.leader()
                started = time.monotonic()
                leader.kill()
                cluster.other_leader(leader)
                crashes.append(measured_gap(context, f"kill -9 of {leader.name}", writer, started))
                leader.start()
                cluster.wait_ready(seconds=30)
        context.figure("longest write gap, each SIGTERM of a rolling restart", ", ".join(planned))
        context.figure("operations that failed in the rolling restart", failed)
        context.figure("longest write gap, each kill -9 of the leader", ", ".join(ms(gap) for gap in crashes))
        context.figure("election time-out", f"{DEFAULTS['WHITEWATER_ELECTION_TIMEOUT_MS']} ms")
        context.figure("the machine's own longest pause", ms(writer.longest_pause[0]))
        print(f"    {load.verify()}")
