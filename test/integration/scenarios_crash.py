"""Members killed without warning under load. Acknowledged means: on stable storage of a majority."""
import random
import time

from harness import Cluster, check, wait_for
from load import Load

ROUNDS = 50


def crash_round(cluster, rng):
    """Kills one, a minority or all members, waits a moment, starts them again and waits until writes go through."""
    count = rng.choice((1, 1, 1, 2, 3, 3))
    victims = rng.sample(cluster.members, count)
    for member in victims:
        member.kill()
    time.sleep(rng.choice((0.0, 0.05, 0.3)))
    rng.shuffle(victims)
    for member in victims:
        member.start()
    # Not until they are ready: the next round may well hit a member that is still recovering.
    time.sleep(rng.choice((0.2, 0.6, 1.2)))


def scenario_kill_under_load(context):
    """kill -9 of random members, alone and all at once, 50 rounds: nothing acknowledged is lost, the history is linearizable."""
    rng = random.Random(20240501)
    with Cluster(context) as cluster:
        cluster.start()
        with Load(cluster) as load:
            for number in range(1, ROUNDS + 1):
                before = load.acknowledged_count
                crash_round(cluster, rng)
                if number % 5 == 0:
                    for member in cluster.members:
                        check(member.is_running(), f"round {number}: {member.name} ended by itself: {member.last_lines()}")
                    wait_for(f"round {number}: writes go through", lambda: load.acknowledged_count > before + 5, 40)
            cluster.wait_ready()
        print(f"    {load.verify()}")
        cluster.check_one_cluster()


scenario_kill_under_load.limit_seconds = 400


def scenario_leader_killed_again_and_again(context):
    """Only the leader is killed, ten times, and left down until another one leads."""
    with Cluster(context) as cluster:
        cluster.start()
        with Load(cluster, seed=2) as load:
            for _ in range(10):
                leader = cluster.leader()
                before = load.acknowledged_count
                wait_for("writes through this leader", lambda: load.acknowledged_count > before + 50, 40)
                leader.kill()
                cluster.other_leader(leader)
                leader.start()
            cluster.wait_ready()
        print(f"    {load.verify()}")


def scenario_all_at_once_without_load(context):
    """All members killed while idle: the data is there, and nobody asks for a new cluster."""
    with Cluster(context) as cluster:
        cluster.start()
        before = cluster.check_one_cluster()
        revision = cluster.put("k", "v")
        for _ in range(3):
            for member in cluster.members:
                member.kill()
            for member in cluster.members:
                member.start()
            cluster.wait_ready()
            check(cluster.get("k", via=cluster.members[2]) == "v", "the data is gone")
        check(cluster.check_one_cluster() == before, "another cluster id")
        check(cluster.put("k", "w") == revision + 1, "a revision was lost or made up")


def scenario_sigterm(context):
    """SIGTERM: exit 0 in time, leadership handed over first, every member in turn, under load."""
    with Cluster(context) as cluster:
        cluster.start()
        with Load(cluster, seed=3) as load:
            for _ in range(2):
                for _ in range(3):
                    leader = cluster.leader()
                    started = time.monotonic()
                    code = leader.stop()
                    seconds = time.monotonic() - started
                    check(code == 0, f"{leader.name}: exit {code}: {leader.last_lines()}")
                    # At its own limit of 10 s a member ends with requests unfinished.
                    check(seconds < 10, f"{leader.name}: took {seconds:.1f} s to end")
                    leader.start()
                    cluster.wait_ready()
        print(f"    {load.verify()}")
