"""io_uring allowed and denied, by seccomp profiles on the nodes: both serve, and the throughput without it."""
import json

import docker_nodes
import figures
from bars import Bar
from bench import wait_calm
from job import Load
from kube import say
from scenarios import Scenario
from systems import Whitewater, installed

CALLS = ["io_uring_setup", "io_uring_enter", "io_uring_register"]
PROFILES = {"uring": {"defaultAction": "SCMP_ACT_ALLOW"},
            "epoll": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": CALLS, "action": "SCMP_ACT_ERRNO"}]}}
FOLDER = "/var/lib/kubelet/seccomp/whitewater-bench"
REACTORS = {"uring": "io_uring", "epoll": "epoll"}
# A user of its own: what io_uring may lock is shared by all processes of a user on a machine, and all nodes of kind are on one.
USER = 10011


def reactor(bench, sheet):
    kube = bench.session.kube
    docker_nodes.require(kube)
    nodes = [node["metadata"]["name"] for node in kube.nodes()]
    systems = {}
    try:
        for name, profile in PROFILES.items():
            docker_nodes.write_file(nodes, f"{FOLDER}/{name}.json", json.dumps(profile))
            values = {"podSecurityContext": {"runAsUser": USER, "runAsGroup": USER, "fsGroup": USER},
                      "seccomp": {"profile": "Localhost", "localhostProfile": f"whitewater-bench/{name}.json"}}
            systems[name] = installed(Whitewater(bench.session, name, values))
            rows = systems[name].members()
            sheet.value(f"on_{name}", sum(row["reactor"] == REACTORS[name] for row in rows.values()))
            for pod, row in rows.items():
                sheet.figure(pod, f"{row['reactor']}: {reason_in(kube.logs(pod))}")
        measure(bench, sheet, systems)
    finally:
        for system in systems.values():
            system.remove()
        docker_nodes.remove_folder(nodes, FOLDER)


def reason_in(lines):
    """Of the reactor, as the member's first lines state it."""
    for line in lines:
        _, found, rest = line.partition('"reactor_reason":')
        if found:
            return json.JSONDecoder().raw_decode(rest)[0]
    return "no reason in its log"


def measure(bench, sheet, systems):
    rounds = []
    for number in range(bench.pace.rounds):
        one = {}
        for name in bench.rng.sample(sorted(systems), len(systems)):
            wait_calm()
            one[name] = Load(bench.session, systems[name].leader_endpoint(), 64, bench.pace.speed).result()["put"]["per_second"]
        rounds.append(one)
        say(f"    round {number + 1}: {one['epoll']:.0f} puts/s without io_uring, {one['uring']:.0f} with it")
    for name in systems:
        sheet.figure(f"puts/s at 64 connections, {REACTORS[name]}", figures.spread([one[name] for one in rounds]))
    ratios = [one["epoll"] / one["uring"] for one in rounds if one["uring"]]
    sheet.figure("epoll : io_uring", figures.spread(ratios, digits=2))
    sheet.value("ratio", figures.median(ratios))


SCENARIOS = [Scenario("reactor", "io_uring allowed and denied", reactor, 500, (
    Bar("on_uring", "members on io_uring where the profile allows it", "exactly", 3),
    Bar("on_epoll", "members on epoll where the profile denies it", "exactly", 3),
    Bar("ratio", "puts/s at 64 connections, epoll : io_uring (median of the rounds' ratios)", "at least", 0.7)))]
