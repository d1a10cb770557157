#!/usr/bin/env python3
"""Whitewater beside etcd: three members each on this machine, the same load tool, interleaved rounds.

HTTP/JSON puts (256-byte values) at 1 and 64 connections, to the leader of each. Every round runs both systems, in an order
drawn anew; the ratio is taken within a round and its median over the rounds is what counts. Both keep their data on the same
file system. Prints a table in Markdown and writes JSON."""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.dont_write_bytecode = True
from load_tool import put_load  # noqa: E402

REPO = pathlib.Path(__file__).resolve().parent.parent


def say(text):
    print(text, file=sys.stderr, flush=True)


def build_etcd(target):
    """The pinned etcd as a Go tool; Debian's etcd-server where Go is missing."""
    if subprocess.run([REPO / "tools" / "fetch_etcd", target]).returncode == 0:
        return target
    found = shutil.which("etcd")
    if not found:
        sys.exit("compare_etcd: neither Go nor etcd found; install golang (for the pinned etcd) or etcd-server")
    say("measuring Debian's etcd, which is old")
    return pathlib.Path(found)


def get_json(url, body=None, timeout=2):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=timeout) as reply:
        return json.load(reply)


class Cluster:
    """Three processes, ended by pid."""

    def __init__(self, name, directory):
        self.name = name
        self.directory = directory
        self.processes = []

    def start(self, command, environment, log):
        with open(self.directory / log, "wb") as out:
            self.processes.append(subprocess.Popen(command, env=environment, stdout=out, stderr=out))

    def pids(self):
        return [p.pid for p in self.processes]

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def wait(self, find_leader, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for process in self.processes:
                if process.poll() is not None:
                    sys.exit(f"compare_etcd: a member of {self.name} ended; see {self.directory}")
            try:
                leader = find_leader()
                if leader:
                    return leader
            except OSError:
                pass
            time.sleep(0.1)
        sys.exit(f"compare_etcd: {self.name} has no leader after {seconds} s; see {self.directory}")


def start_whitewater(binary, directory):
    cluster = Cluster("whitewater", directory)
    hosts = [f"127.8.92.{i}" for i in (1, 2, 3)]
    peers = ",".join(f"bench-{i}={host}:8090" for i, host in enumerate(hosts))
    for i, host in enumerate(hosts):
        cluster.start(
            [binary, "serve", "--name", f"bench-{i}", "--listen", f"{host}:8090", "--data-dir", directory / f"ww-{i}",
             "--discovery", "static", "--peers", peers, "--bootstrap-expect", "3"],
            {"PATH": os.environ["PATH"]}, f"whitewater-{i}.log")

    def find_leader():
        for row in get_json(f"http://{hosts[0]}:8090/whitewater/members"):
            if row["role"] == "leader":
                return row["address"]
        return None

    return cluster, cluster.wait(find_leader)


def start_etcd(binary, directory):
    cluster = Cluster("etcd", directory)
    hosts = [f"127.8.93.{i}" for i in (1, 2, 3)]
    members = ",".join(f"bench-{i}=http://{host}:2380" for i, host in enumerate(hosts))
    for i, host in enumerate(hosts):
        cluster.start(
            [binary, "--name", f"bench-{i}", "--data-dir", directory / f"etcd-{i}",
             "--listen-peer-urls", f"http://{host}:2380", "--initial-advertise-peer-urls", f"http://{host}:2380",
             "--listen-client-urls", f"http://{host}:2379", "--advertise-client-urls", f"http://{host}:2379",
             "--initial-cluster", members, "--initial-cluster-state", "new", "--log-level", "warn"],
            {"PATH": os.environ["PATH"]}, f"etcd-{i}.log")

    def find_leader():
        for host in hosts:
            status = get_json(f"http://{host}:2379/v3/maintenance/status", {})
            if status.get("leader") == status["header"]["member_id"]:
                return f"{host}:2379"
        return None

    return cluster, cluster.wait(find_leader)


def load(build, leader, cluster, connections, seconds, seed):
    result = put_load(build, leader, connections, seconds, seed, cluster.pids())
    if result["errors"]:
        say(f"  {cluster.name}: {result['errors']} errors, the first: {result['first_error']}")
    return result


def median_of(results, field):
    return statistics.median(r[field] for r in results)


def summarize(rounds, connections):
    ours = [r["whitewater"] for r in rounds]
    theirs = [r["etcd"] for r in rounds]
    row = {"connections": connections}
    for field in ("p50_us", "p99_us", "per_second", "cpu_us_per_put"):
        ratios = sorted(a[field] / b[field] for a, b in zip(ours, theirs) if b[field])
        row[field] = {"whitewater": median_of(ours, field), "etcd": median_of(theirs, field),
                      "ratio": statistics.median(ratios), "ratio_min": ratios[0], "ratio_max": ratios[-1]}
    row["errors"] = {"whitewater": sum(r["errors"] for r in ours), "etcd": sum(r["errors"] for r in theirs)}
    return row


def print_table(rows, rounds):
    print(f"| connections | measure | whitewater | etcd | ratio (median of {rounds}) | ratio min .. max |")
    print("|---|---|---|---|---|---|")
    names = {"p50_us": "p50, µs", "p99_us": "p99, µs", "per_second": "puts/s", "cpu_us_per_put": "CPU of 3 members, µs/put"}
    for row in rows:
        for field, name in names.items():
            v = row[field]
            print(f"| {row['connections']} | {name} | {v['whitewater']:.0f} | {v['etcd']:.0f} | {v['ratio']:.2f} "
                  f"| {v['ratio_min']:.2f} .. {v['ratio_max']:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=REPO / "build" / "release", help="build folder (release preset)")
    parser.add_argument("--etcd", type=pathlib.Path, default=REPO / ".deps" / "etcd", help="where to build or find etcd")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--connections", default="1,64")
    parser.add_argument("--json", type=pathlib.Path, help="write everything measured to this file")
    arguments = parser.parse_args()
    tool = arguments.build / "bench" / "whitewater-load"
    binary = arguments.build / "bin" / "whitewater"
    for path in (tool, binary):
        if not path.exists():
            sys.exit(f"compare_etcd: {path} is missing; build it first: ./dev build")
    etcd = build_etcd(arguments.etcd)
    version = subprocess.run([etcd, "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    # Beside the repository's build, not in /tmp: that may be a memory file system, where neither system waits for a disk.
    directory = pathlib.Path(tempfile.mkdtemp(prefix="compare-", dir=arguments.build))
    clusters = []
    rows = []
    try:
        ours, our_leader = start_whitewater(binary, directory)
        clusters.append(ours)
        theirs, their_leader = start_etcd(etcd, directory)
        clusters.append(theirs)
        draw = random.Random(1)
        everything = []
        for connections in (int(c) for c in arguments.connections.split(",")):
            rounds = []
            for i in range(arguments.rounds):
                pair = [("whitewater", our_leader, ours), ("etcd", their_leader, theirs)]
                draw.shuffle(pair)
                measured = {name: load(arguments.build, leader, cluster, connections, arguments.seconds, i)
                            for name, leader, cluster in pair}
                rounds.append(measured)
                say(f"  {connections} connections, round {i + 1}/{arguments.rounds}: "
                    f"p50 {measured['whitewater']['p50_us']:.0f} / {measured['etcd']['p50_us']:.0f} µs, "
                    f"{measured['whitewater']['per_second']:.0f} / {measured['etcd']['per_second']:.0f} puts/s")
            rows.append(summarize(rounds, connections))
            everything.append({"connections": connections, "rounds": rounds})
        print(f"{version}; {arguments.rounds} rounds of {arguments.seconds} s, interleaved; load {os.getloadavg()[0]:.1f}\n")
        print_table(rows, arguments.rounds)
        if arguments.json:
            arguments.json.write_text(json.dumps({"etcd": version, "summary": rows, "rounds": everything}, indent=1))
    finally:
        for cluster in clusters:
            cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
