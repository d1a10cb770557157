"""A member that comes back when the entries it lacks are in no log any more gets a snapshot of the store."""
import hashlib
import json
import random
import time

from harness import FAST, Cluster, b64, check, wait_for

# The smallest log: a few seconds of writing run over it.
SMALL_LOG = {**FAST, "WHITEWATER_LOG_SEGMENT_BYTES": "4MiB", "WHITEWATER_LOG_BUDGET_BYTES": "16MiB"}
VALUE_BYTES = 256 << 10


def fill(cluster, member, megabytes, rng):
    """Writes through `member`, whoever is away. A log as small as this one may be full for a moment, never for long."""
    client = member.client()
    for number in range(megabytes * 4):
        message = {"key": b64(f"big/{number % 40}"), "value": b64(rng.randbytes(VALUE_BYTES))}

        def accepted():
            reply = client.call("/v3/kv/put", message)
            check(reply.status in (200, 429), f"write {number} with a member away: {reply}")
            return reply.status == 200
        wait_for(f"write {number} with a member away is accepted", accepted, 5, interval=0.01)


def digest(member):
    """Of everything that the member itself holds."""
    reply = member.call("/v3/kv/range", {"key": b64("\0"), "range_end": b64("\0"), "serializable": True}, timeout=30)
    check(reply.status == 200, f"{reply}")
    return hashlib.sha256(json.dumps(reply.json["kvs"], sort_keys=True).encode()).hexdigest()


def installed(member):
    return sum("\"msg\":\"installed\"" in line for line in member.process.lines())


def check_same(cluster):
    """Every member holds the same, read from its own store."""
    revision = cluster.put("last", str(time.monotonic()))
    for member in cluster.members:
        wait_for(f"{member.name} has applied revision {revision}",
                 lambda m=member: int(m.call("/v3/kv/range", {"key": b64("last"), "serializable": True}).json["header"]["revision"]) >= revision, 20)
    digests = {member.name: digest(member) for member in cluster.members}
    check(len(set(digests.values())) == 1, f"the stores differ: {digests}")


def scenario_follower_behind_the_log(context):
    """A follower is away while three times the log is written: no write is refused, and it gets a snapshot when it is back."""
    with Cluster(context, environment=SMALL_LOG) as cluster:
        cluster.start()
        leader = cluster.leader()
        away = next(member for member in cluster.members if member is not leader)
        cluster.put("before", "1")
        away.kill()
        fill(cluster, leader, 48, random.Random(1))
        away.start()
        cluster.wait_ready()
        wait_for(f"{away.name} has installed one snapshot", lambda: installed(away) == 1, 20)
        check("whitewater_snapshots_installed_total 1" in away.get("/metrics").body.decode(), "the metric does not count it")
        check_same(cluster)
        # The new store is the one that a restart finds, and the member can lead.
        away.kill()
        away.start()
        cluster.wait_ready()
        check_same(cluster)
        for member in cluster.members:
            if member is not away:
                member.kill()
                member.start()
        cluster.wait_ready()
        check_same(cluster)
        names = sorted(path.name for path in away.data_dir.iterdir() if path.is_dir() and path.name.startswith("store"))
        check(len(names) == 1, f"the replaced store was left behind: {names}")


def scenario_killed_while_receiving(context):
    """The receiver, then the sender, is killed again and again during the transfer and around the installation."""
    rng = random.Random(7)
    with Cluster(context, environment={**SMALL_LOG, "WHITEWATER_SNAPSHOT_RATE_BYTES": "16MiB"}) as cluster:
        cluster.start()
        leader = cluster.leader()
        away = next(member for member in cluster.members if member is not leader)
        away.kill()
        fill(cluster, leader, 40, rng)
        away.start()
        wait_for(f"{away.name} receives a snapshot",
                 lambda: any("receiving, because" in line for line in away.process.lines()), 20)
        check(not away.is_ready() and "catching up" in away.readiness(), f"ready while it receives: {away.readiness()}")
        away.kill()
        for _ in range(8):
            away.start()
            time.sleep(rng.uniform(0.1, 1.6))
            check(away.is_running(), f"{away.name} ended by itself: {away.last_lines()}")
            away.kill()
        away.start()
        time.sleep(0.5)
        leader.kill()
        time.sleep(0.3)
        leader.start()
        cluster.wait_ready(seconds=40)
        check_same(cluster)


def scenario_installed_under_load(context):
    """Members are away for a while in turn under load with the smallest log: every write is there, the history linearizable."""
    from load import Load
    rng = random.Random(3)
    with Cluster(context, environment=SMALL_LOG) as cluster:
        cluster.start()
        seen = 0
        with Load(cluster, seed=5) as load:
            for number in range(6):
                away = cluster.members[number % 3]
                away.kill()
                wait_for("another leader", lambda a=away: (found := cluster.leader()) is not None and found is not a, 10)
                fill(cluster, next(m for m in cluster.members if m is not away), 24, rng)
                seen += installed(away)
                away.start()
                cluster.wait_ready(seconds=40)
        print(f"    {load.verify()}")
        count = sum(installed(member) for member in cluster.members)
        check(count >= 3, f"only {count} snapshots were installed")
        check_same(cluster)


scenario_installed_under_load.limit_seconds = 120
scenario_killed_while_receiving.limit_seconds = 100
