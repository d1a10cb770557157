"""Real members, a real DNS server and an HTTP client for the integration tests. Python's standard library only.
Everything runs on a range 127.8.N.x and under a folder of its own and is ended by process id, also when a test fails or is killed."""
import base64
import ctypes
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def _claim_range():
    """A range of loopback addresses that no other run of these tests uses now. The claim is a socket in the kernel's abstract
    namespace, which ends with this process."""
    for third in range(91, 120):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0whitewater-integration-127.8.{third}")
        except OSError:
            claim.close()
            continue
        return claim, f"127.8.{third}", f"127.8.{third + 100}"
    raise SystemExit("every range 127.8.91.x to 127.8.119.x is in use by another run of these tests")


CLAIM, NET, DEV_NET = _claim_range()
RAFT_PORT = 8090
DNS_ADDRESS = f"{NET}.253"
DNS_PORT = 5391
SERVICE = "whitewater-headless"
ZONE = f"{SERVICE}.default.svc.cluster.local"
# etcd's and the guide's: for what must not be disturbed by an election that only a slow machine causes.
DEFAULTS = {"WHITEWATER_ELECTION_TIMEOUT_MS": "1000", "WHITEWATER_HEARTBEAT_INTERVAL_MS": "100"}
# Short, so that fifty elections fit into a test; the ratio to the heartbeat is that of the defaults.
FAST = {"WHITEWATER_ELECTION_TIMEOUT_MS": "300", "WHITEWATER_HEARTBEAT_INTERVAL_MS": "30"}
# Refusals that are given before anything is proposed.
CERTAINLY_REFUSED = ("etcdserver: no leader", "etcdserver: not leader", "etcdserver: too many requests")
# Answers of a member that an election, a full queue or a slow machine explains.
PASSING = (429, 503, 504)
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Failure(AssertionError):
    """A check that did not hold, with what was seen."""


class Skip(Exception):
    """The machine does not allow what a scenario needs; the text says what is missing."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def wait_for(what, probe, seconds, interval=0.02):
    """Calls probe() until it returns something true; the last thing it said is in the failure."""
    deadline = time.monotonic() + seconds
    last = None
    while time.monotonic() < deadline:
        last = probe()
        if last:
            return last
        time.sleep(interval)
    raise Failure(f"{what}: not within {seconds} s (last: {last!r})")


def last_error():
    """errno of the last call through LIBC."""
    return ctypes.get_errno()


class Process:
    """A child that ends with the test run. Its output goes to a file. `before_exec` is called in the child, to enter namespaces."""

    def __init__(self, command, log, environment, before_exec=()):
        def prepare():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            for step in before_exec:
                step()
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as output:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
                                          preexec_fn=prepare, start_new_session=True)

    @property
    def pid(self):
        return self.child.pid

    def is_running(self):
        return self.child.poll() is None

    def kill(self):
        if self.is_running():
            self.child.kill()
        self.child.wait()

    def stop(self, seconds=15):
        """SIGTERM; the exit code, or a failure if it does not come in time."""
        if self.is_running():
            self.child.terminate()
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"{self.child.args[0]} did not end within {seconds} s of SIGTERM") from None

    def lines(self):
        return self.log.read_text(errors="replace").splitlines()


class Dns:
    """dnsmasq that serves what Kubernetes' DNS would: SRV of the named members and their A records."""

    def __init__(self, folder, address=DNS_ADDRESS, port=DNS_PORT, address_of=None):
        self.folder, self.address, self.port, self.process = pathlib.Path(folder), address, port, None
        self.address_of = address_of or member_address
        self.program = shutil.which("dnsmasq", path=os.environ.get("PATH", "") + ":/usr/sbin")
        check(self.program, "dnsmasq is missing; ./dev install brings it (dnsmasq-base)")

    def serve(self, srv, addresses=None, extra=()):
        """srv: ordinals in the SRV answer. addresses: {ordinal: address} of the A records, by default those of the SRV."""
        addresses = {i: self.address_of(i) for i in srv} if addresses is None else addresses
        # As root it keeps user and group: a change of either would end its tie to this process, and it would outlive a killed run.
        lines = [f"port={self.port}", f"listen-address={self.address}", "bind-interfaces", "no-resolv", "no-hosts", "no-poll",
                 "local=/cluster.local/", "local-ttl=1", *(["user=root", "group=root"] if os.getuid() == 0 else [])]
        lines += [f"srv-host=_raft._tcp.{ZONE},{member_name(i)}.{ZONE},{RAFT_PORT},0,{100 // max(1, len(srv))}" for i in srv]
        lines += [f"host-record={member_name(i)}.{ZONE},{address}" for i, address in addresses.items()]
        lines += extra
        self.stop()
        config = self.folder / f"dnsmasq-{self.address}.conf"
        config.write_text("\n".join(lines) + "\n")
        self.process = Process([self.program, "--keep-in-foreground", f"--conf-file={config}", "--pid-file=", "--log-facility=-"],
                               self.folder / f"dnsmasq-{self.address}.log", {"PATH": os.environ.get("PATH", "")})
        wait_for("dnsmasq answers", self._answers, 20)

    def _answers(self):
        check(self.process.is_running(), "dnsmasq ended: " + "; ".join(self.process.lines()[-2:]))
        query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07version\x04bind\x00\x00\x10\x00\x03"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(0.1)
            try:
                udp.sendto(query, (self.address, self.port))
                return udp.recv(512)
            except OSError:
                return None

    def stop(self):
        if self.process:
            self.process.kill()
            self.process = None


def member_name(ordinal):
    return f"whitewater-{ordinal}"


def member_address(ordinal):
    return f"{NET}.{ordinal + 1}"


class Reply:
    def __init__(self, status, body, headers):
        self.status, self.body, self.headers = status, body, headers

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class NotConnected(OSError):
    """No connection could be made: nothing was sent."""


class Client:
    """One keep-alive connection to one member. Raises NotConnected, or another OSError or http.client.HTTPException when there is
    no answer to what was sent."""

    def __init__(self, address, port=RAFT_PORT, timeout=10):
        self.address, self.port, self.timeout, self.connection = address, port, timeout, None

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def request(self, method, path, body=None, headers=None):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.address, self.port, timeout=self.timeout)
            try:
                self.connection.connect()
            except OSError as error:
                self.close()
                raise NotConnected(*error.args) from error
        try:
            self.connection.request(method, path, body, headers or {})
            answer = self.connection.getresponse()
            reply = Reply(answer.status, answer.read(), answer.headers)
        except Exception:
            self.close()
            raise
        if answer.will_close:
            self.close()
        return reply

    def get(self, path):
        return self.request("GET", path)

    def call(self, path, message):
        return self.request("POST", path, json.dumps(message))


def b64(text):
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def unb64(text):
    return base64.b64decode(text).decode()


class Member:
    def __init__(self, cluster, ordinal):
        self.cluster, self.ordinal, self.process = cluster, ordinal, None
        self.name, self.address = member_name(ordinal), cluster.dns.address_of(ordinal)
        self.before_exec = []  # called in the child before it becomes the member
        self.data_dir = cluster.folder / self.name
        self.log = cluster.folder / f"{self.name}.log"
        self.environment = {}  # more than the guide's, or in its place; None removes a name

    def full_environment(self):
        values = {"SERVICE_NAME": SERVICE, "SERVICE_PORT_NAME": "raft", "NAMESPACE": "default", "POD_NAME": self.name,
                  "POD_IP": self.address, "WHITEWATER_DATA_DIR": str(self.data_dir), "WHITEWATER_CLUSTER_DOMAIN": "cluster.local",
                  "WHITEWATER_BOOTSTRAP_EXPECT": str(self.cluster.expect),
                  "WHITEWATER_DNS_SERVERS": f"{self.cluster.dns.address}:{self.cluster.dns.port}",
                  **self.cluster.environment, **self.environment}
        return {name: value for name, value in values.items() if value is not None}

    def start(self, *flags):
        check(not self.is_running(), f"{self.name} is running already")
        self.process = Process([str(self.cluster.binary), "serve", *flags], self.log, self.full_environment(), self.before_exec)

    def is_running(self):
        return self.process is not None and self.process.is_running()

    def kill(self):
        if self.process:
            self.process.kill()

    def stop(self, seconds=15):
        return self.process.stop(seconds)

    def wait_exit(self, seconds):
        """The exit code of a member that is expected to end by itself."""
        try:
            return self.process.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} still runs after {seconds} s; it was expected to refuse") from None

    def last_lines(self, count=3):
        return "\n".join(self.process.lines()[-count:]) if self.process else ""

    def client(self, timeout=10):
        return Client(self.address, timeout=timeout)

    def get(self, path, timeout=5):
        """None when there is no answer."""
        client = self.client(timeout)
        try:
            return client.get(path)
        except (OSError, http.client.HTTPException):
            return None
        finally:
            client.close()

    def call(self, path, message, timeout=10):
        client = self.client(timeout)
        try:
            return client.call(path, message)
        finally:
            client.close()

    def ask(self, path, message, seconds=30):
        """The answer to a request that may be repeated. Silence and refusals that pass are tried again within the bound."""
        def probe():
            nonlocal reply
            try:
                reply = self.call(path, message)
            except (OSError, http.client.HTTPException) as error:
                reply = error
                return None
            return reply if reply.status not in PASSING else None
        reply = None
        try:
            return wait_for(f"an answer to {path}", probe, seconds, interval=0.05)
        except Failure:
            raise Failure(f"{self.name}: no answer to {path} within {seconds} s; the last was {reply}") from None

    def is_ready(self):
        reply = self.get("/readyz", timeout=2)
        return reply is not None and reply.status == 200

    def readiness(self):
        reply = self.get("/readyz?verbose")
        return "no answer" if reply is None else reply.body.decode(errors="replace")

    def cluster_id(self):
        """The id of the cluster that this member belongs to, None while it belongs to none."""
        try:
            reply = self.call("/v3/maintenance/status", {}, timeout=2)
        except (OSError, http.client.HTTPException):
            return None
        if reply.status != 200:
            return None
        value = reply.json.get("header", {}).get("cluster_id", "0")
        return None if value == "0" else value

    def status(self):
        return self.ask("/v3/maintenance/status", {}).json

    def table(self):
        reply = self.get("/whitewater/members")
        check(reply is not None and reply.status == 200, f"{self.name}: /whitewater/members: {reply}")
        return reply.json


def metric(member, name):
    """The first sample of a metric, whatever its labels."""
    for line in member.get("/metrics").body.decode().splitlines():
        if line.startswith(name + " ") or line.startswith(name + "{"):
            return float(line.split()[-1])
    return None


class Cluster:
    """Members 0..count-1 with a DNS server, on loopback or in a netns.Network. As a context manager it ends everything and keeps
    the folder on failure."""

    def __init__(self, context, count=3, expect=None, environment=FAST, network=None):
        self.binary = context.binary
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cluster-", dir=context.folder))
        self.expect = count if expect is None else expect
        self.environment = dict(environment)
        self.dns = Dns(self.folder) if network is None else Dns(self.folder, network.dns_address, address_of=network.address)
        self.members = [Member(self, i) for i in range(count)]
        for member in self.members if network else ():
            network.join(member)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for member in self.members:
            member.kill()
        self.dns.stop()
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            for member in self.members:
                print(f"    {member.name}: {member.last_lines(6)}")

    def start(self, members=None, seconds=40):
        """Full DNS, every member, and ready."""
        if self.dns.process is None:
            self.dns.serve(range(len(self.members)))
        for member in members or self.members:
            member.start()
        self.wait_ready(members, seconds)

    def wait_ready(self, members=None, seconds=40):
        for member in members or self.members:
            def ready(member=member):
                check(member.is_running(), f"{member.name} ended: {member.last_lines()}")
                return member.is_ready()
            try:
                wait_for(f"{member.name} is ready", ready, seconds)
            except Failure as failure:
                raise Failure(f"{failure}\n{member.readiness()}") from None

    def leader(self, seconds=20, among=None):
        """The member that leads, agreed on by at least a majority of all. Asks only those `among`, if given."""
        def probe():
            votes = {}
            for member in among or self.members:
                if not member.is_running():
                    continue
                try:
                    leader = member.call("/v3/maintenance/status", {}, timeout=2).json.get("leader", "0")
                except (OSError, http.client.HTTPException, ValueError):
                    continue
                votes[leader] = votes.get(leader, 0) + 1
            for leader, count in votes.items():
                if leader != "0" and count * 2 > len(self.members):
                    return self.by_id(leader, among)
            return None
        return wait_for("a leader", probe, seconds)

    def other_leader(self, old, seconds=20, among=None):
        """As leader(), once it is another than `old`."""
        def probe():
            found = self.leader_now(among)
            return found if found is not old else None
        return wait_for(f"a leader other than {old.name}", probe, seconds)

    def leader_now(self, among=None):
        """As leader(), None where there is none for a second."""
        try:
            return self.leader(1, among)
        except Failure:
            return None

    def by_id(self, member_id, among=None):
        for member in among or self.members:
            try:
                if member.is_running() and member.call("/v3/maintenance/status", {}, timeout=2).json["header"]["member_id"] == member_id:
                    return member
            except (OSError, http.client.HTTPException, ValueError, KeyError):
                continue
        return None

    def put(self, key, value, via=None, seconds=30):
        """The revision of the write. What an election refuses is tried again within the bound; where the outcome is unknown, the
        key is read first, so that the write happens once."""
        member = via or self.members[0]
        deadline = time.monotonic() + seconds
        while True:
            try:
                reply = member.call("/v3/kv/put", {"key": b64(key), "value": b64(value)})
                if reply.status == 200:
                    return int(reply.json["header"]["revision"])
            except NotConnected as error:
                reply, is_unknown = error, False
            except (OSError, http.client.HTTPException) as error:
                reply, is_unknown = error, True
            else:
                check(reply.status in PASSING, f"put {key}: {reply}")
                is_unknown = not any(text.encode() in reply.body for text in CERTAINLY_REFUSED)
            check(time.monotonic() < deadline, f"put {key}: not within {seconds} s; the last answer was {reply}")
            if is_unknown:
                kvs = member.ask("/v3/kv/range", {"key": b64(key)}).json.get("kvs", [])
                if kvs and kvs[0].get("value", "") == b64(value):
                    return int(kvs[0]["mod_revision"])
            time.sleep(0.05)

    def get(self, key, via=None, **more):
        reply = (via or self.members[0]).ask("/v3/kv/range", {"key": b64(key), **more})
        check(reply.status == 200, f"get {key}: {reply}")
        kvs = reply.json.get("kvs", [])
        return unb64(kvs[0].get("value", "")) if kvs else None

    def check_one_cluster(self, members=None):
        ids = {member.name: wait_for(f"{member.name} names its cluster", member.cluster_id, 20) for member in members or self.members}
        check(len(set(ids.values())) == 1, f"members are not of one cluster: {ids}")
        return next(iter(ids.values()))
