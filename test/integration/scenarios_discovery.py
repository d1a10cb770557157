"""The peers file of the guide's option 3, with what its scripts really write, and `whitewater discover` in their place."""
import json
import os
import subprocess
import time

from harness import FAST, NET, RAFT_PORT, ZONE, Cluster, check, member_address, member_name, wait_for
from scenarios_bootstrap import check_formed, check_no_cluster

# Byte for byte what busybox and kubectl wrote on a real cluster (a service without a record yet, a pod without an address yet).
NOTHING = '{"peers":[\n"NXDOMAIN:8090"]}\n'
NO_ADDRESS = '{"peers":[\n":8090"]}\n'


def place(ordinal):
    return f"{member_address(ordinal)}:{RAFT_PORT}"


def peers_text(ordinals):
    return '{"peers":[\n' + ',\n'.join(f'"{place(i)}"' for i in ordinals) + "]}\n"


class FileCluster(Cluster):
    """Members with a peers file each and nothing else that says where the others are."""

    def __init__(self, context, count=3):
        super().__init__(context, count, environment={**FAST, "SERVICE_NAME": None, "SERVICE_PORT_NAME": None, "NAMESPACE": None,
                                                      "WHITEWATER_CLUSTER_DOMAIN": None})
        for member in self.members:
            member.environment["PEERS_FILE"] = str(self.file_of(member))

    def file_of(self, member):
        return self.folder / f"peers-{member.name}.json"

    def write(self, ordinal, text):
        """As a whole, as a volume's update is."""
        path = self.file_of(self.members[ordinal])
        path.with_suffix(".new").write_text(text)
        os.replace(path.with_suffix(".new"), path)

    def write_as_the_guide(self):
        """Pod i's file names the pods before it, pod 0's nobody."""
        self.write(0, NOTHING)
        for i in range(1, len(self.members)):
            self.write(i, peers_text(range(i)))


def scenario_peers_files_of_the_guide(context):
    """Files that name the pods before: pod 0 knows nobody, and is found by those who know it."""
    with FileCluster(context) as cluster:
        cluster.write_as_the_guide()
        for member in cluster.members:
            member.start()
        check_formed(cluster)
        lines = "\n".join(cluster.members[0].process.lines())
        for part in ("I am whitewater-0", "looking for peers in the file", "PEERS_FILE is set", "NXDOMAIN:8090", "founded a cluster"):
            check(part in lines, f"the first lines of the log do not say: {part}")
        check(lines.count("is left out") == 1, "a bad entry is reported more than once")
        # A member that is back finds its cluster with whatever is in its file now.
        cluster.write(2, "")
        cluster.members[2].kill()
        cluster.members[2].start()
        cluster.wait_ready()
        check("belongs to a cluster since an earlier start" in "\n".join(cluster.members[2].process.lines()), "no word of the earlier start")


def scenario_late_and_broken_peers_files(context):
    """No file, an empty one, half a one, no peers: nobody ends and nobody is alone; then the truth arrives."""
    with FileCluster(context) as cluster:
        for member in cluster.members:
            member.start()
        check_no_cluster(cluster, 1.5)
        for text in ("", '{"peers":[]}', NO_ADDRESS, '{"peers":[\n"127.8.'):
            for i in range(3):
                cluster.write(i, text)
            check_no_cluster(cluster, 1)
        check("the peers file" in cluster.members[1].readiness(), f"not said: {cluster.members[1].readiness()}")
        cluster.write(0, f'{{"peers":["{place(0)}",,":8090","{place(1)}","NXDOMAIN:8090","{place(2)}",]}}')
        for i in (1, 2):
            cluster.write(i, peers_text(range(3)))
        check_formed(cluster)


def scenario_garbage_files_are_healed(context):
    """Every file is garbage: the names of the others follow from the own one, as Kubernetes writes it into the hosts file."""
    with FileCluster(context) as cluster:
        cluster.dns.serve([0, 1, 2])
        for i, member in enumerate(cluster.members):
            cluster.write(i, NOTHING if i == 0 else NO_ADDRESS)
            hosts = cluster.folder / f"hosts-{i}"
            hosts.write_text(f"127.0.0.1\tlocalhost\n{member.address}\t{member.name}.{ZONE}\t{member.name}\n")
            member.environment["WHITEWATER_HOSTS_FILE"] = str(hosts)
            member.start()
        check_formed(cluster)
        for row in cluster.members[0].table():
            check(ZONE in row["address"], f"advertised is {row['address']}, not the full name")


def discover(cluster, member, *flags, expect=0, extra=None):
    environment = {**member.full_environment(), **(extra or {})}
    done = subprocess.run([str(cluster.binary), "discover", *flags], env=environment, capture_output=True, text=True, timeout=60)
    check(done.returncode == expect, f"discover {' '.join(flags)}: exit {done.returncode}, not {expect}\n{done.stdout}{done.stderr}")
    return done


def scenario_discover_writes_the_file(context):
    """An init container's job done right: waits for --min, writes a whole file or none; a cluster forms from it."""
    with Cluster(context) as cluster:
        target = cluster.folder / "peers.json"
        cluster.dns.serve([])
        member = cluster.members[0]
        done = discover(cluster, member, "--method", "dns", "--timeout", "1s", "--output", str(target), expect=1)
        check("no file was written" in done.stderr, done.stderr)
        check("next:" in done.stdout, done.stdout)
        check(not target.exists(), "a file was written although nobody was found")
        cluster.dns.serve([0, 1])
        target.write_text("the old one")
        discover(cluster, member, "--method", "dns", "--min", "3", "--timeout", "1s", "--output", str(target), expect=1)
        check(target.read_text() == "the old one", "the old file did not stay")
        discover(cluster, member, "--output", "/dev/full/peers.json", expect=6)
        discover(cluster, member, "--min", "none", expect=2)
        cluster.dns.serve([0, 1, 2])
        done = discover(cluster, member, "--method", "dns", "--min", "3", "--timeout", "30s", "--output", str(target))
        check("whitewater-2" in done.stdout and "SRV record" in done.stdout, done.stdout)
        written = json.loads(target.read_text())
        check(written["peers"] == [f"{member_name(i)}.{ZONE}:{RAFT_PORT}" for i in range(3)], written)
        check(written["expect"] == 3, written)
        check([path.name for path in cluster.folder.iterdir() if path.name.startswith("peers")] == ["peers.json"], "something was left behind")
        for member in cluster.members:
            member.environment.update({"PEERS_FILE": str(target), "SERVICE_NAME": None, "WHITEWATER_BOOTSTRAP_EXPECT": None})
            member.start()
        check_formed(cluster)
        check("states the number of founders" in "\n".join(cluster.members[0].process.lines()), "the file's count was not taken")
        # What a member would use comes first; every other way that the environment allows is shown too.
        both = discover(cluster, cluster.members[0], extra={"SERVICE_NAME": "whitewater-headless"}).stdout
        check(both.index("file (what a member uses: PEERS_FILE is set; not used: dns") < both.index("dns (could be used"), both)


def scenario_discover_waits(context):
    """Records that come one after the other, and the command that ends when there are enough."""
    with Cluster(context) as cluster:
        target = cluster.folder / "peers.json"
        cluster.dns.serve([0])
        member = cluster.members[0]
        command = [str(cluster.binary), "discover", "--method", "dns", "--min", "3", "--timeout", "60s", "--output", str(target)]
        waiting = subprocess.Popen(command, env=member.full_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            time.sleep(1)
            check(waiting.poll() is None and not target.exists(), "it did not wait")
            cluster.dns.serve([0, 1, 2])
            wait_for("the file", target.exists, 30)
            text, _ = waiting.communicate(timeout=30)
        finally:
            waiting.kill()
            waiting.wait()
        check(waiting.returncode == 0, text)
        check("dns sees 1 of 3 peers: whitewater-0" in text, f"no word of the progress: {text}")
