"""DNS that lies, lags or is silent at the start: exactly one cluster, or none yet; never two. Each with a real dnsmasq."""
import shutil
import time

from harness import FAST, NET, ZONE, Cluster, Dns, check, member_address, wait_for

# Long enough for a member that would found wrongly to have done so: several rounds of its settling time.
QUIET_SECONDS = 3.0


def check_no_cluster(cluster, seconds=QUIET_SECONDS):
    """Nobody founds, nobody ends, and everybody says what it waits for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for member in cluster.members:
            if member.process is None:
                continue
            check(member.is_running(), f"{member.name} ended: {member.last_lines()}")
            found = member.cluster_id()
            check(found is None, f"{member.name} belongs to cluster {found} although the founders cannot all agree")
            check(not member.is_ready(), f"{member.name} is ready without a cluster")
        time.sleep(0.1)
    for member in cluster.members:
        if member.process is not None:
            check("[-]" in member.readiness(), f"{member.name} does not say why it is not ready: {member.readiness()}")
            check(member.get("/livez").status == 200, f"{member.name} is not alive while it waits")


def check_at_most_one(cluster, seconds=QUIET_SECONDS):
    """Whoever is dialled learns of the dialler, so that members may rightly find each other in spite of DNS: one or none."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ids = {member.cluster_id() for member in cluster.members if member.is_running()} - {None}
        check(len(ids) <= 1, f"two clusters: {ids}")
        time.sleep(0.05)


def check_formed(cluster):
    cluster.wait_ready()
    cluster_id = cluster.check_one_cluster()
    for member in cluster.members:
        cluster.put(f"by/{member.name}", member.name, via=member)
    for member in cluster.members:
        check(cluster.get("by/whitewater-0", via=member) == "whitewater-0", f"{member.name} does not see the write")
    return cluster_id


def scenario_partial_answer(context):
    """The SRV answer names two of three; the third appears later."""
    with Cluster(context) as cluster:
        cluster.dns.serve([0, 1])
        for member in cluster.members[:2]:
            member.start()
        check_no_cluster(cluster)
        cluster.members[2].start()
        cluster.dns.serve([0, 1, 2])
        check_formed(cluster)


def scenario_empty_answer(context):
    """No record at all (NXDOMAIN), then an answer without records, then the truth."""
    with Cluster(context) as cluster:
        cluster.dns.serve([])
        for member in cluster.members:
            member.start()
        check_no_cluster(cluster)
        cluster.dns.serve([], {0: member_address(0)}, extra=[f"txt-record=_raft._tcp.{ZONE},x"])
        check_at_most_one(cluster, 1.5)
        cluster.dns.serve([0, 1, 2])
        check_formed(cluster)


def scenario_late_server(context):
    """No DNS server while the members start; it comes up later, one record at a time as Kubernetes publishes them."""
    with Cluster(context) as cluster:
        for member in cluster.members:
            member.start()
        check_no_cluster(cluster)
        for count in (1, 2):
            cluster.dns.serve(range(count))
            check_at_most_one(cluster, 1)
        cluster.dns.serve([0, 1, 2])
        check_formed(cluster)


def scenario_truncated_answer(context):
    """An answer too long for UDP: cut off there, whole over TCP."""
    with Cluster(context) as cluster:
        # Forty further names that resolve to nothing make the answer some kilobytes long.
        strangers = [f"srv-host=_raft._tcp.{ZONE},gone-{i}-{'x' * 40}.{ZONE},8090,0,1" for i in range(40)]
        cluster.dns.serve([0, 1, 2], extra=["edns-packet-max=512", *strangers])
        for member in cluster.members:
            member.start()
        check_formed(cluster)


def scenario_stale_answer(context):
    """Records of an earlier life: addresses where nobody lives, names that are gone, two names with one address."""
    with Cluster(context) as cluster:
        cluster.dns.serve([0, 1, 2, 3, 4], {0: f"{NET}.101", 1: f"{NET}.102", 2: f"{NET}.103", 3: member_address(0), 4: member_address(1)})
        for member in cluster.members:
            member.start()
        check_at_most_one(cluster)
        cluster.dns.serve([0, 1, 2], {0: member_address(1), 1: member_address(0), 2: member_address(2)})  # swapped
        check_at_most_one(cluster, 2)
        cluster.dns.serve([0, 1, 2])
        check_formed(cluster)


def scenario_each_member_sees_another_subset(context):
    """Every member asks a DNS server of its own and sees only some of the others."""
    with Cluster(context) as cluster:
        views = ([0, 1], [1, 2], [2])
        servers = []
        try:
            for i, (member, view) in enumerate(zip(cluster.members, views)):
                servers.append(Dns(cluster.folder, f"{NET}.{200 + i}", 5392 + i))
                servers[-1].serve(view)
                member.environment["WHITEWATER_DNS_SERVERS"] = f"{servers[-1].address}:{servers[-1].port}"
                member.start()
            check_at_most_one(cluster)
            for server in servers:
                server.serve([0, 1, 2])
            check_formed(cluster)
        finally:
            for server in servers:
                server.stop()


def scenario_one_member_late(context):
    """Two of three wait for as long as it takes; the third makes them a cluster."""
    with Cluster(context) as cluster:
        cluster.dns.serve([0, 1, 2])
        for member in cluster.members[1:]:
            member.start()
        check_no_cluster(cluster, 4)
        cluster.members[0].start()
        check_formed(cluster)


def scenario_wrong_expect(context):
    """Members that expect different numbers refuse each other, in words."""
    with Cluster(context) as cluster:
        cluster.dns.serve([0, 1, 2])
        cluster.members[2].environment["WHITEWATER_BOOTSTRAP_EXPECT"] = "2"
        for member in cluster.members:
            member.start()
        check_no_cluster(cluster)


def scenario_killed_while_founding(context):
    """Members killed again and again while the cluster forms: one cluster in the end, on every try."""
    for attempt in range(6):
        with Cluster(context) as cluster:
            cluster.dns.serve([0, 1, 2])
            for member in cluster.members:
                member.start()
            for delay, victim in ((0.4 + attempt * 0.15, attempt % 3), (0.3, (attempt + 1) % 3)):
                time.sleep(delay)
                cluster.members[victim].kill()
                cluster.members[victim].start()
            check_formed(cluster)


def scenario_lost_disk_of_member_zero(context):
    """Pod 0 comes back with an empty disk, alone at first: it waits, and never founds a second cluster."""
    with Cluster(context) as cluster:
        cluster.start()
        cluster_id = cluster.check_one_cluster()
        revision = cluster.put("k", "v")
        for member in cluster.members:
            check(member.stop() == 0, f"{member.name} did not stop cleanly")
        zero, others = cluster.members[0], cluster.members[1:]
        shutil.rmtree(zero.data_dir)
        zero.start()
        deadline = time.monotonic() + QUIET_SECONDS
        while time.monotonic() < deadline:
            check(zero.cluster_id() is None, "pod 0 founded a second cluster")
            time.sleep(0.1)
        for member in others:
            member.start()
        cluster.wait_ready(others)
        check(cluster.check_one_cluster(others) == cluster_id, "another cluster id")
        check(cluster.get("k", via=others[0]) == "v", "the data is gone")
        check(cluster.put("k", "w", via=others[1]) == revision + 1, "a revision was lost or made up")
        time.sleep(1.5)
        check(zero.cluster_id() in (None, cluster_id), "pod 0 belongs to another cluster")
        check(not zero.is_ready(), "pod 0 is ready although it is no member")


def scenario_all_addresses_change(context):
    """All members come back with new addresses, and DNS says so late: the same cluster."""
    with Cluster(context) as cluster:
        cluster.start()
        cluster_id = cluster.check_one_cluster()
        cluster.put("k", "v")
        for member in cluster.members:
            check(member.stop() == 0, f"{member.name} did not stop cleanly")
        for i, member in enumerate(cluster.members):
            member.address = f"{NET}.{20 + i}"
            member.start()
        time.sleep(1)
        cluster.dns.serve([0, 1, 2], {i: member.address for i, member in enumerate(cluster.members)})
        cluster.wait_ready()
        check(cluster.check_one_cluster() == cluster_id, "another cluster id")
        check(cluster.get("k", via=cluster.members[1]) == "v", "the data is gone")


def scenario_dns_gone_after_forming(context):
    """DNS fails after the cluster has formed: connections stay, a restarted member is found, nothing is removed."""
    with Cluster(context) as cluster:
        cluster.start()
        cluster.dns.serve([])
        time.sleep(2)
        cluster.put("k", "v")
        cluster.dns.stop()
        cluster.put("k", "w")
        leader = cluster.leader()
        leader.kill()
        rest = [member for member in cluster.members if member is not leader]
        cluster.put("k", "x", via=rest[0], seconds=40)


def scenario_joiners_of_a_dead_cluster(context):
    """The last member of a cluster is met by a new one and dies with its disk, as when all pods without volumes are deleted: the joiners
    give the cluster up, and found another one after a restart each."""
    environment = {**FAST, "WHITEWATER_REPLACE_AFTER_MS": "1000"}
    with Cluster(context, count=4, expect=3, environment=environment) as cluster:
        founders, late = cluster.members[:3], cluster.members[3]
        cluster.dns.serve(range(4))
        cluster.start(founders)
        dead = cluster.check_one_cluster(founders)
        for member in founders[1:]:
            member.kill()
        late.start()
        wait_for("it joins", lambda: any("waits to be added" in line for line in late.process.lines()), 20)
        founders[0].kill()
        for member in founders:
            shutil.rmtree(member.data_dir)
            member.start()
        check(late.wait_exit(30) == 8, late.last_lines())
        check("is gone" in "\n".join(late.process.lines()), late.last_lines())
        late.start()
        cluster.wait_ready(seconds=40)
        check(cluster.check_one_cluster() != dead, "a cluster came back without a disk")
        cluster.put("key", "value")
