"""The leader is lost under an open loop of puts through the client service: how long no write is acknowledged anywhere."""
import docker_nodes
import figures
from bars import Bar
from bench import Events
from job import Load
from kube import say
from scenarios import Scenario

CONNECTIONS, RATE = 16, 500
CALM_SECONDS = 2
ELECTION_TIMEOUT_MS = 1000  # of both systems, at their defaults


def graceful(bench, sheet):
    lose(bench, sheet, "its pod is deleted", delete_pod)


def hard(bench, sheet):
    docker_nodes.require(bench.session.kube)
    lose(bench, sheet, "its process is killed (SIGKILL)", kill_process)


def delete_pod(system, leader):
    system.session.kube.kubectl("delete", "pod", leader, "--wait=false")


def kill_process(system, leader):
    pod = system.pods()[leader]
    docker_nodes.kill_container(pod["spec"]["nodeName"], pod["status"]["containerStatuses"][0]["containerID"])


def lose(bench, sheet, how, take_away):
    gaps, calm, failed, lost = {}, {}, {}, {}
    for number in range(bench.pace.rounds):
        for system in bench.both():
            parts, since = lose_once(bench, sheet, system, how, take_away, number)
            gaps.setdefault(system.name, []).append(figures.longest_gap_ms(parts["put"], since))
            calm.setdefault(system.name, []).append(figures.longest_gap_before_ms(parts["put"], since))
            say(f"    round {number + 1}, {system.name}: longest write gap {gaps[system.name][-1]:.0f} ms, {calm[system.name][-1]:.0f} ms before")
            failed.setdefault(system.name, []).append(figures.not_served(parts["put"]))
            lost.setdefault(system.name, []).append(parts["check"]["lost_count"])
    for name in sorted(gaps, reverse=True):
        sheet.figure(f"longest write gap, {name}", figures.spread(gaps[name], "ms"))
        sheet.figure(f"longest write gap of the {CALM_SECONDS} s before, {name}", figures.spread(calm[name], "ms"))
        sheet.figure(f"puts not served, {name}", figures.spread(failed[name]))
        sheet.figure(f"acknowledged writes lost, {name}", str(sum(lost[name])))
    sheet.value("gap_ms", max(gaps["Whitewater"]))
    sheet.value("lost", sum(lost["Whitewater"]))


def lose_once(bench, sheet, system, how, take_away, number):
    events, seconds = Events(), bench.pace.loss
    leader = system.leader()
    load = Load(bench.session, system.endpoints, CONNECTIONS, seconds, rate=RATE, settle=0)
    load.wait_measuring(CALM_SECONDS)
    since = events.mark(f"{system.name}'s leader {leader}: {how}")
    take_away(system, leader)
    parts = load.result()
    sheet.load(f"{system.name}, round {number + 1}", parts, events.list)
    system.wait_whole()
    return parts, since


SCENARIOS = [
    Scenario("graceful", "The leader's pod is deleted", graceful, 600, (
        Bar("gap_ms", "longest write gap (the worst round)", "at most", 100, "ms"),
        Bar("lost", "acknowledged writes lost", "exactly", 0))),
    Scenario("hard", "The leader's process is killed", hard, 600, (
        Bar("gap_ms", "longest write gap (the worst round)", "at most", 1.5 * ELECTION_TIMEOUT_MS, "ms"),
        Bar("lost", "acknowledged writes lost", "exactly", 0))),
]
