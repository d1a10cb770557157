"""Who is a member: joining, leaving, being replaced, and what that costs the clients."""
import json
import pathlib
import subprocess
import time

from harness import DEFAULTS, FAST, NET, RAFT_PORT, Cluster, Failure, check, wait_for
from load import GapWriter, Load

# The periods of the autopilot are minutes' work for an operator and seconds' for a test.
QUICK = {"WHITEWATER_STABILIZATION_MS": "2000", "WHITEWATER_REPLACE_AFTER_MS": "2000"}


def run(context, *arguments, endpoint=None, seconds=60):
    """The command line against a member; (exit code, output)."""
    command = [str(context.binary), *arguments] + (["--endpoints", f"{endpoint.address}:{RAFT_PORT}"] if endpoint else [])
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    return done.returncode, done.stdout + done.stderr


def rows(member):
    return {row["name"]: row for row in member.table()}


def roles(member):
    """{name: "voter" | "learner" | ...} as this member's table has it; leader and follower are voters."""
    table = {}
    for row in member.table():
        table[row["name"]] = "voter" if row["role"] in ("leader", "follower", "candidate", "pre-candidate") else row["role"]
    return table


def wait_roles(member, wanted, seconds=60):
    def probe():
        nonlocal seen
        try:
            seen = roles(member)
        except Failure as failure:
            seen = str(failure)
        return seen == wanted
    seen = None
    try:
        wait_for(f"{member.name} sees {wanted}", probe, seconds, interval=0.1)
    except Failure:
        raise Failure(f"{member.name} sees {seen} instead of {wanted} after {seconds} s; history: {history(member)}") from None


def voters(*ordinals):
    return {f"whitewater-{i}": "voter" for i in ordinals}


def history(member):
    reply = member.get("/whitewater/membership")
    return [] if reply is None or reply.status != 200 else [f"{e['kind']} {e['name']}: {e['reason']}" for e in reply.json]


def first(cluster, count):
    """Starts members 0..count-1 alone: the others are not in DNS yet."""
    cluster.dns.serve(range(count))
    cluster.start(cluster.members[:count])


def scenario_grow_by_starting_shrink_by_command(context):
    """3 members become 5 because two more start, and 3 again by `whitewater scale --to 3`, under load with a linearizability check."""
    with Cluster(context, count=5, expect=3, environment={**FAST, **QUICK}) as cluster:
        first(cluster, 3)
        one = cluster.members[0]
        with Load(cluster, clients=3, seed=5, pause_seconds=0.01) as load, GapWriter(cluster.members[:3]) as writer:
            started = time.monotonic()
            cluster.dns.serve(range(5))
            for member in cluster.members[3:]:
                member.start()
            wait_roles(one, voters(0, 1, 2, 3, 4))
            cluster.wait_ready()
            context.figure("two members start: both vote after", f"{time.monotonic() - started:.1f} s")
            cluster.check_one_cluster()
            code, output = run(context, "scale", "--to", "3", endpoint=one)
            check(code == 0 and output.index("whitewater-4") < output.index("whitewater-3"), f"scale: exit {code}: {output}")
            wait_roles(one, voters(0, 1, 2))
            for member in cluster.members[3:]:
                check(member.wait_exit(20) == 8, f"{member.name}: {member.last_lines()}")
            writer.wait_for_more("writes after the scale-in")
            context.figure("longest write gap", f"{writer.gap(started) * 1000:.0f} ms")
        events = history(one)
        check(any("joined" in e and "asks to join" in e for e in events) and any("by command" in e for e in events), f"history: {events}")
        code, output = run(context, "membership", "history", endpoint=one)
        check(code == 0 and "promoted" in output and "removed" in output, f"membership history: {code} {output}")
        cluster.members = cluster.members[:3]
        print(f"    {load.verify()}")


def scenario_lost_disk_heals(context):
    """A member's disk is deleted: the member comes back as another one, takes the place over, and nobody had to do anything."""
    with Cluster(context, environment={**FAST, **QUICK}) as cluster:
        cluster.start()
        lost = next(m for m in cluster.members if m is not cluster.leader())
        stays = next(m for m in cluster.members if m is not lost)
        with Load(cluster, clients=2, seed=6, pause_seconds=0.01) as load:
            old_id = rows(stays)[lost.name]["id"]
            lost.kill()
            subprocess.run(["rm", "-r", str(lost.data_dir)], check=True)
            started = time.monotonic()
            lost.start()
            wait_for("another node in its place", lambda: roles(stays) == voters(0, 1, 2) and rows(stays)[lost.name]["id"] != old_id, 60)
            context.figure("a lost disk is replaced after", f"{time.monotonic() - started:.1f} s")
            cluster.wait_ready()
        check(any("new disk" in e for e in history(stays)), f"history: {history(stays)}")
        print(f"    {load.verify()}")


def scenario_step_aside_in_pairs(context):
    """Five members are stopped one after the other, as a StatefulSet does that shrinks: the cluster keeps its quorum, and gets its voters back."""
    with Cluster(context, count=5, environment={**FAST, **QUICK}) as cluster:
        cluster.start()
        one = cluster.members[0]
        with Load(cluster, clients=2, seed=7, pause_seconds=0.02) as load:
            check(cluster.members[4].stop() == 0, "exit of whitewater-4")
            time.sleep(1)
            check(sum(r != "learner" for r in roles(one).values()) == 5, "one that is away must not change the configuration")
            check(cluster.members[3].stop() == 0, "exit of whitewater-3")
            configuration = wait_for("two stepped aside", lambda: [e for e in history(one) if e.startswith("demoted")], 20)
            check(len(configuration) == 2, f"history: {history(one)}")
            check(cluster.members[2].stop() == 0, "exit of whitewater-2")
            cluster.put("two", "left", via=one)
            for member in cluster.members[2:]:
                member.start()
            wait_roles(one, voters(0, 1, 2, 3, 4))
            cluster.wait_ready()
        print(f"    {load.verify()}")


def scenario_removed_member(context):
    """`member remove`: the process ends; started again it stays up and says why it is not ready; with rejoin_removed it joins anew, in
    another pod than the one in which it was removed."""
    with Cluster(context, count=4, expect=3, environment={**FAST, **QUICK}) as cluster:
        first(cluster, 4)
        one, extra = cluster.members[0], cluster.members[3]
        extra.stop()
        extra.environment |= {"WHITEWATER_REJOIN_REMOVED": "true", "WHITEWATER_POD_UID": "0b5c"}
        extra.start()
        wait_roles(one, {**voters(0, 1, 2), "whitewater-3": "learner"})
        cluster.wait_ready()
        old_id = rows(one)["whitewater-3"]["id"]
        code, output = run(context, "member", "remove", "whitewater-3", endpoint=cluster.members[1])
        check(code == 0, f"member remove: {code} {output}")
        check(extra.wait_exit(20) == 8, extra.last_lines())
        extra.start()
        wait_for("it explains itself", lambda: "removed from" in extra.readiness(), 20)
        time.sleep(3)
        check(extra.is_running() and "whitewater-3" not in roles(one), f"{roles(one)}")
        extra.stop()
        extra.environment["WHITEWATER_POD_UID"] = "77ae"
        extra.start()
        wait_roles(one, {**voters(0, 1, 2), "whitewater-3": "learner"})
        check(rows(one)["whitewater-3"]["id"] != old_id, "a removed node id came back")
        check((extra.data_dir / f"removed-{old_id}").is_dir(), f"{list(extra.data_dir.iterdir())}")
        code, output = run(context, "member", "remove", "nobody", endpoint=one)
        check(code == 4 and "no member is called nobody" in output, f"{code} {output}")
        for member in cluster.members[1:3]:
            member.kill()
        code, output = run(context, "member", "remove", "whitewater-1", "--timeout", "9s", endpoint=one)
        check(code in (4, 5), f"a removal without a majority: {code} {output}")


def scenario_member_add(context):
    """`member add`: a process that nobody knows is asked to join, and does."""
    with Cluster(context, count=4, expect=3, environment={**FAST, **QUICK}) as cluster:
        first(cluster, 3)
        extra = cluster.members[3]
        extra.environment |= {"SERVICE_NAME": None, "WHITEWATER_PEERS": f"whitewater-3={extra.address}:{RAFT_PORT}",
                              "WHITEWATER_BOOTSTRAP_EXPECT": None}
        extra.start()
        wait_for("it listens", lambda: extra.get("/livez"), 20)
        code, output = run(context, "member", "add", f"{extra.address}:{RAFT_PORT}", endpoint=cluster.members[2])
        check(code == 0 and "joined" in output, f"member add: {code} {output}\n{extra.last_lines()}")
        wait_roles(cluster.members[0], {**voters(0, 1, 2), "whitewater-3": "learner"})
        cluster.wait_ready([extra])
        code, output = run(context, "member", "promote", "whitewater-3", endpoint=cluster.members[0])
        check(code == 0, f"member promote: {code} {output}")
        wait_roles(cluster.members[0], voters(0, 1, 2, 3))
        code, output = run(context, "member", "add", f"{NET}.77:{RAFT_PORT}", endpoint=cluster.members[0])
        check(code == 4, f"member add of nobody: {code} {output}")


def scenario_drain(context):
    """`whitewater drain` on the leader: not ready, another one leads, requests are still answered."""
    with Cluster(context, environment=DEFAULTS) as cluster:
        cluster.start()
        leader = cluster.leader()
        with GapWriter(cluster.members) as writer:
            started = time.monotonic()
            code, output = run(context, "drain", endpoint=leader)
            check(code == 0, f"drain: {code} {output}")
            check(cluster.leader() is not leader, "the drained member leads")
            check(not leader.is_ready(), "the drained member is ready")
            writer.wait_for_more("writes after the drain")
            context.figure("longest write gap of a drain", f"{writer.gap(started) * 1000:.0f} ms")
        check(leader.stop() == 0, leader.last_lines())


def scenario_new_addresses(context):
    """Every member comes back with another address, known from peers files: one cluster, nothing lost."""
    with Cluster(context, environment={**FAST, **QUICK}) as cluster:
        files = pathlib.Path(cluster.folder)
        for member in cluster.members:
            member.environment |= {"SERVICE_NAME": None, "PEERS_FILE": str(files / f"{member.name}.json")}

        def write_files():
            for member in cluster.members:
                others = [f"{other.address}:{RAFT_PORT}" for other in cluster.members if other.ordinal < member.ordinal]
                (files / f"{member.name}.json").write_text(json.dumps({"peers": others}))
        write_files()
        for member in cluster.members:
            member.start()
        cluster.wait_ready()
        before = cluster.check_one_cluster()
        cluster.put("key", "kept")
        for member in cluster.members:
            member.kill()
        for member in cluster.members:
            member.address = f"{NET}.{200 + member.ordinal}"
        write_files()
        started = time.monotonic()
        for member in cluster.members:
            member.start()
        cluster.wait_ready()
        context.figure("all addresses changed: ready after", f"{time.monotonic() - started:.1f} s")
        check(cluster.check_one_cluster() == before, "another cluster")
        check(cluster.get("key", via=cluster.members[2]) == "kept", "a write was lost")
