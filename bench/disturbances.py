#!/usr/bin/env python3
"""What one member's trouble costs the others' clients, measured within one run against the same cluster without it.

usage: bench/disturbances.py [--rounds N] [--seconds S] [--connections N] [--build-dir DIR]   (as root, for a disk of its own)

slow follower   one follower's disk answers up to 50 ms later: its file system is frozen for 50 ms again and again
snapshot        one follower is away until the log has left it behind, then gets the store (about 64 MiB) while clients write

Three members on loopback; bench/load writes 256-byte values in a closed loop to the leader. Calm and disturbed periods alternate
in an order drawn anew each round; the ratio is taken within a round, and the median over the rounds counts."""
import argparse
import contextlib
import pathlib
import random
import statistics
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test/integration"))
import run  # noqa: E402
from disk import Disk  # noqa: E402
from harness import DEFAULTS, Cluster, b64, wait_for  # noqa: E402
from load_tool import put_load  # noqa: E402
from scenarios_snapshot import installed  # noqa: E402

SLOW_SECONDS = 0.05
STORE_MEGABYTES = 64


def say(text):
    print(text, flush=True)


class Load:
    def __init__(self, arguments, leader):
        self.arguments, self.leader = arguments, leader

    def run(self, seconds, seed):
        return put_load(self.arguments.build_dir, f"{self.leader.address}:8090", self.arguments.connections, seconds, seed)


@contextlib.contextmanager
def slow(disk):
    """Of every 52 ms the disk answers in two."""
    ended = threading.Event()

    def keep_freezing():
        while not ended.is_set():
            with disk.frozen():
                time.sleep(SLOW_SECONDS)
            time.sleep(0.002)

    thread = threading.Thread(target=keep_freezing)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def report(what, field, pairs):
    ratios = [disturbed[field] / calm[field] for calm, disturbed in pairs]
    say(f"{what}: {field} calm {statistics.median(calm[field] for calm, _ in pairs):.0f}, disturbed "
        f"{statistics.median(disturbed[field] for _, disturbed in pairs):.0f}; ratio {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}), {len(pairs)} rounds")


def leader_and_followers(cluster):
    leader = cluster.leader()
    return leader, [member for member in cluster.members if member is not leader]


def slow_follower(arguments, context, rng):
    with contextlib.ExitStack() as stack:
        disks = [stack.enter_context(Disk(context.folder, f"disk-{i}", 1024)) for i in range(3)]
        cluster = stack.enter_context(Cluster(context, environment=DEFAULTS))
        for disk, member in zip(disks, cluster.members):
            disk.attach(member)
        cluster.start()
        leader, followers = leader_and_followers(cluster)
        load = Load(arguments, leader)
        pairs = []
        for number in range(arguments.rounds):
            results = {}
            for is_slow in rng.sample([False, True], 2):
                with slow(disks[followers[0].ordinal]) if is_slow else contextlib.nullcontext():
                    results[is_slow] = load.run(arguments.seconds, number)
            pairs.append((results[False], results[True]))
            say(f"  round {number + 1}: p50 {results[False]['p50_us']:.0f} us, with a slow follower {results[True]['p50_us']:.0f} us")
    report("slow follower", "p50_us", pairs)


def snapshot(arguments, context, rng):
    environment = {**DEFAULTS, "WHITEWATER_LOG_SEGMENT_BYTES": "4MiB", "WHITEWATER_LOG_BUDGET_BYTES": "32MiB"}
    pairs = []
    with Cluster(context, environment=environment) as cluster:
        cluster.start()
        leader, followers = leader_and_followers(cluster)
        load, away = Load(arguments, leader), followers[0]
        client = leader.client()
        for number in range(arguments.rounds):
            away.kill()
            for i in range(STORE_MEGABYTES * 8):
                message = {"key": b64(f"big/{i}"), "value": b64(rng.randbytes(128 << 10))}
                wait_for("a write is accepted", lambda m=message: client.call("/v3/kv/put", m).status == 200, 20, interval=0.01)
            calm = load.run(arguments.seconds, number)
            before = installed(away)
            result = {}
            thread = threading.Thread(target=lambda: result.update(load.run(arguments.seconds, number)))
            thread.start()
            started = time.monotonic()
            away.start()
            wait_for("the snapshot is installed", lambda: installed(away) > before, 60)
            took = time.monotonic() - started
            thread.join()
            pairs.append((calm, result))
            say(f"  round {number + 1}: p99 {calm['p99_us']:.0f} us, with a snapshot on its way for {took:.1f} of "
                f"{arguments.seconds} s {result['p99_us']:.0f} us")
            cluster.wait_ready(seconds=60)
    report("snapshot", "p99_us", pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=4, help="of one period of load")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--build-dir", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--only", choices=("slow_follower", "snapshot"))
    arguments = parser.parse_args()
    rng = random.Random(1)
    say(f"load average {pathlib.Path('/proc/loadavg').read_text().split()[0]}")
    for measure in (slow_follower, snapshot):
        if arguments.only not in (None, measure.__name__):
            continue
        with tempfile.TemporaryDirectory(prefix="whitewater-disturbances-") as folder:
            measure(arguments, run.Context(arguments.build_dir / "bin/whitewater", arguments.build_dir, pathlib.Path(folder)), rng)


if __name__ == "__main__":
    main()
