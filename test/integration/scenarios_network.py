"""Networks that fail between some members and not between others, in network namespaces: packets vanish in the middle, so that no
member is told. Clients reach every member all the time."""
import random
import time

import netns
from harness import DEFAULTS, FAST, b64, check, wait_for
from load import GapWriter, Load
from scenarios_snapshot import SMALL_LOG, fill, installed

# Long enough for a member without PreVote to have disturbed the others several times.
CUT_SECONDS = 8
# In that time. A slow machine may cause one by itself; a cluster that flaps has one every second or two.
LEADER_CHANGES_MAX = 2


def term(member):
    return int(member.status()["raftTerm"])


def ms(seconds):
    return f"{seconds * 1000:.0f} ms"


def figure_of_gap(context, what, writer, since, until=None):
    context.figure(f"longest write gap, {what}", f"{ms(writer.gap(since, until))} (the machine's own longest pause {ms(writer.longest_pause[0])})")


def check_rejoins(cluster, member, key="rejoined"):
    """The member is ready again, takes a write at once, which its connection to the leader may still be too young for, and has what
    was written meanwhile."""
    wait_for(f"{member.name} is ready", member.is_ready, 30)
    reply = member.call("/v3/kv/put", {"key": b64(f"{key}/first"), "value": b64("1")})
    check(reply.status == 200, f"the first write through {member.name}: {reply}")
    cluster.wait_ready(seconds=30)
    revision = cluster.put(key, "1", via=member)
    wait_for(f"{member.name} has applied revision {revision}",
             lambda: cluster.get(key, via=member, serializable=True) == "1", 20)


def goes_on_while(context, what, ways_of):
    """The cluster of three goes on, without flapping, while the ways that `ways_of`(leader, cut, between) names are dropped."""
    with netns.cluster(context, environment=DEFAULTS) as (cluster, network):
        cluster.start()
        with Load(cluster, clients=3, seed=11, pause_seconds=0.01) as load:
            leader = cluster.leader()
            cut, between = (member for member in cluster.members if member is not leader)
            before = term(between)
            with GapWriter([leader, between]) as writer:
                started, changes = time.monotonic(), 0
                with network.dropped(*ways_of(leader, cut, between)):
                    while time.monotonic() < started + CUT_SECONDS:
                        changes = max(changes, max(term(leader), term(between)) - before)
                        time.sleep(0.2)
                    writer.wait_for_more("writes go on beside the failed link")
                    wait_for(f"{cut.name}, which hears no leader, is not ready", lambda: not cut.is_ready(), 20)
                    ended = time.monotonic()
                check(changes <= LEADER_CHANGES_MAX, f"{changes} terms in {ended - started:.0f} s of {what}")
                check_rejoins(cluster, cut)
                context.figure(f"from healing to a write through the member, {what}", ms(time.monotonic() - ended))
                figure_of_gap(context, what, writer, started, ended)
                context.figure(f"changes of the leader in {ended - started:.0f} s of {what}", changes)
        print(f"    {load.verify()}")


def scenario_partial_partition(context):
    """The leader and one follower do not reach each other, both reach the third: no flapping, writes go on, the member rejoins."""
    goes_on_while(context, "partial partition", lambda leader, cut, _: [(leader, cut), (cut, leader)])


def scenario_one_way_loss_to_one_follower(context):
    """What the leader sends to one follower is lost, not what it sends back: no flapping, writes go on, the member rejoins."""
    goes_on_while(context, "one-way loss to a follower", lambda leader, cut, _: [(leader, cut)])


def scenario_one_way_loss_around_the_leader(context):
    """The leader hears nobody (CheckQuorum makes it step down), then nobody hears the leader: another leads, no write is lost."""
    with netns.cluster(context, environment=FAST) as (cluster, network):
        cluster.start()
        with Load(cluster, seed=12) as load:
            for what in ("leader hears nobody", "nobody hears the leader"):
                leader = cluster.leader()
                others = [member for member in cluster.members if member is not leader]
                ways = [(other, leader) if what == "leader hears nobody" else (leader, other) for other in others]
                with GapWriter(others) as writer:
                    started = time.monotonic()
                    with network.dropped(*ways):
                        cluster.other_leader(leader, 20, among=others)
                        wait_for("the old leader knows that it leads no more", lambda old=leader: not leads(old), 20)
                        writer.wait_for_more("writes through the others")
                    figure_of_gap(context, what, writer, started)
                check_rejoins(cluster, leader, key=what)
        print(f"    {load.verify()}")


def scenario_snapshot_lost_at_its_beginning(context):
    """The network fails when a snapshot has been accepted and nothing of it has arrived: offered again, it begins again."""
    with netns.cluster(context, environment={**SMALL_LOG, **DEFAULTS}) as (cluster, network):
        cluster.start()
        leader = cluster.leader()
        away = next(member for member in cluster.members if member is not leader)
        away.kill()
        fill(cluster, leader, 40, random.Random(1))
        start = len(away.process.lines())

        def says(text):
            check(away.is_running(), f"{away.name} ended: {away.last_lines()}")
            return any(text in line for line in away.process.lines()[start:])
        away.start()
        # Said before the store is made into which the records go, which takes longer than to cut the way.
        wait_for("a snapshot is accepted", lambda: says('"msg":"receiving'), 40, interval=0.0005)
        with network.dropped((leader, away)):
            wait_for("the transfer is given up", lambda: says("the transfer was interrupted"), 60)
        check_rejoins(cluster, away)
        check(installed(away) >= 1, f"{away.name} got no snapshot")


def leads(member):
    status = member.status()
    return status.get("leader") == status["header"]["member_id"]
