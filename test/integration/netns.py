"""Network namespaces for the integration tests: one for each member and a hub that routes between them. Every packet between two
members passes the hub, which can drop it for one pair and one direction, silently, as a broken switch does. Needs root and
iproute2. The namespaces belong to a running process; those of a process that is gone are removed by the next run.

Nothing else of the machine's network is touched: no link leads out of the hub."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess

import harness
from harness import LIBC, Cluster, Skip, check

CLONE_NEWNET = 0x40000000
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
FOLDER = pathlib.Path("/run/netns")
PREFIX = "whitewater-it"
HUB_ADDRESS = "10.90.0.1"


def start_ticks(pid):
    """When the process began, which tells it from a later one of the same pid; None without such a process."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        return None


def ip(*arguments, lines=None):
    """One iproute2 command, or a batch of `lines`."""
    command = ["ip", *arguments] + (["-batch", "-"] if lines else [])
    done = subprocess.run(command, input="\n".join(lines) if lines else "", capture_output=True, text=True, timeout=20,
                          env={"PATH": PATH})
    check(done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def enter(descriptor, kind):
    """Moves the calling thread, and what it starts from now on, into a namespace."""
    if LIBC.setns(descriptor, kind) != 0:
        error = harness.last_error()
        raise OSError(error, f"setns: {os.strerror(error)}")


def remove_stale():
    """Namespaces of runs that were killed. Their processes ended with the run."""
    for path in sorted(FOLDER.glob(f"{PREFIX}-*")):
        match = re.fullmatch(rf"{PREFIX}-(\d+)-(\d+)-\w+", path.name)
        if match and start_ticks(match[1]) != match[2]:
            subprocess.run(["ip", "netns", "del", path.name], capture_output=True, timeout=20, env={"PATH": PATH})


def why_not():
    """Why this machine allows no namespaces, None if it does."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip", path=PATH):
        return "iproute2 is missing; ./dev install brings it"
    return None


class Network:
    """`count` members' namespaces around a hub. As a context manager: inside, this thread is in the hub, and with it all clients,
    servers and threads that it starts; members are put into their own by join()."""

    def __init__(self, count=3):
        reason = why_not()
        if reason:
            raise Skip(reason)
        owner = f"{PREFIX}-{os.getpid()}-{start_ticks(os.getpid())}"
        self.hub, self.names = f"{owner}-hub", [f"{owner}-m{i}" for i in range(count)]
        self.dns_address = HUB_ADDRESS
        self.stack = contextlib.ExitStack()
        self.descriptors = []

    @staticmethod
    def address(ordinal):
        return f"10.90.{ordinal + 1}.2"

    def __enter__(self):
        remove_stale()
        with contextlib.ExitStack() as stack:
            for name in (self.hub, *self.names):
                self._add(name, stack)
            for i, name in enumerate(self.names):
                self._connect(i, name)
            ip("-n", self.hub, lines=["link set lo up", f"address add {HUB_ADDRESS}/32 dev lo"])
            outside = self._open("/proc/thread-self/ns/net", stack)
            hub = self._open(FOLDER / self.hub, stack)
            self.descriptors = [self._open(FOLDER / name, stack) for name in self.names]
            stack.callback(enter, outside, CLONE_NEWNET)
            enter(hub, CLONE_NEWNET)
            try:
                pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
            except OSError as error:
                raise Skip(f"no routing between namespaces here: {error}") from None
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    @staticmethod
    def _open(path, stack):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, descriptor)
        return descriptor

    @staticmethod
    def _add(name, stack):
        try:
            ip("netns", "add", name)
        except harness.Failure as failure:
            raise Skip(f"no network namespaces here: {failure}") from None
        stack.callback(ip, "netns", "del", name)

    def _connect(self, ordinal, name):
        gateway = f"10.90.{ordinal + 1}.1"
        try:
            ip("link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", f"m{ordinal}", "netns", self.hub)
        except harness.Failure as failure:
            raise Skip(f"no pairs of virtual links here: {failure}") from None
        ip("-n", name, lines=["link set lo up", f"address add {self.address(ordinal)}/24 dev eth0", "link set eth0 up",
                              f"route add default via {gateway}"])
        ip("-n", self.hub, lines=[f"address add {gateway}/24 dev m{ordinal}", f"link set m{ordinal} up"])

    def join(self, member):
        """From its next start on, the member runs in its namespace."""
        member.before_exec.append(lambda descriptor=self.descriptors[member.ordinal]: enter(descriptor, CLONE_NEWNET))

    @contextlib.contextmanager
    def dropped(self, *ways):
        """Every packet from a member to another is dropped for each (from, to) in `ways`, until the end of the block."""
        rules = [f"from {source.address} to {target.address} blackhole" for source, target in ways]
        try:
            ip("-n", self.hub, lines=[f"rule add {rule}" for rule in rules])
            yield
        finally:
            ip("-n", self.hub, lines=[f"rule del {rule}" for rule in rules])


@contextlib.contextmanager
def cluster(context, count=3, **more):
    """A Cluster whose members live in namespaces of their own, and its Network."""
    with Network(count) as network, Cluster(context, count, network=network, **more) as made:
        yield made, network
