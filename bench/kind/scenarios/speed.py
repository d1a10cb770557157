"""Latency and throughput of puts beside etcd: the same load to each leader, rounds interleaved, ratios taken within a round."""
import dataclasses
import json

import figures
from bars import Bar
from bench import wait_calm
from job import Load, run_tool
from kube import say
from scenarios import Scenario

OPEN_RATE = 500
PROFILE_SECONDS = 6


@dataclasses.dataclass(frozen=True)
class Shape:
    connections: int
    rate: int | None = None


def p50(put):
    return put["latency_us"]["p50"]


def per_second(put):
    return put["per_second"]


def compare(bench, sheet, shape):
    rounds = []
    for number in range(bench.pace.rounds):
        one = {}
        for system in bench.both():
            wait_calm()
            load = Load(bench.session, system.leader_endpoint(), shape.connections, bench.pace.speed, rate=shape.rate)
            parts = load.result()
            one[system.name.lower()] = parts["put"]
            sheet.load(f"{system.name}, round {number + 1}", parts)
        rounds.append(one)
        ours, theirs = one["whitewater"], one["etcd"]
        say(f"    round {number + 1}: p50 {p50(ours):.0f} / {p50(theirs):.0f} µs, {per_second(ours):.0f} / {per_second(theirs):.0f} puts/s "
            "(Whitewater / etcd)")
    tell(sheet, rounds)
    return rounds


def tell(sheet, rounds):
    fields = (("p50", "µs", p50), ("p99", "µs", lambda put: put["latency_us"]["p99"]), ("puts/s", "", per_second))
    for what, unit, field in fields:
        for name in ("whitewater", "etcd"):
            sheet.figure(f"{what}, {name}", figures.spread([field(one[name]) for one in rounds], unit))
        sheet.figure(f"{what}, Whitewater : etcd", figures.spread(figures.ratios(rounds, field), digits=2))


def latency(bench, sheet):
    sheet.value("p50_ratio", figures.median(figures.ratios(compare(bench, sheet, Shape(1)), p50)))


def throughput(bench, sheet):
    sheet.value("throughput_ratio", figures.median(figures.ratios(compare(bench, sheet, Shape(64)), per_second)))


def openloop(bench, sheet):
    rounds = compare(bench, sheet, Shape(64, OPEN_RATE))
    sheet.value("open_p50_ratio", figures.median(figures.ratios(rounds, p50)))


def profile(bench, sheet):
    """Stages of a put by the member's own clock, in a pod beside it."""
    text = run_tool(bench.session, ["sh", "-c", 'latency_profile "$@" --json /record/p.json && echo "== json" && cat /record/p.json', "profile"],
                    ["--endpoints", bench.whitewater.leader_endpoint(), "--seconds", PROFILE_SECONDS], PROFILE_SECONDS)
    table, _, data = text.partition("== json\n")
    sheet.data["profile"] = json.loads(data)
    for stage in sheet.data["profile"]["stages"]:
        quantiles = dict(map(tuple, stage["quantiles_us"]))
        sheet.figure(stage["name"], f"p50 {quantiles[0.5]:.0f} µs, p99 {quantiles[0.99]:.0f} µs")


SCENARIOS = [
    Scenario("latency", "Latency of puts, one connection, closed loop", latency, 400,
             (Bar("p50_ratio", "p50, Whitewater : etcd (median of the rounds' ratios)", "below", 1),)),
    Scenario("throughput", "Throughput of puts, 64 connections, closed loop", throughput, 400,
             (Bar("throughput_ratio", "puts/s, Whitewater : etcd (median of the rounds' ratios)", "above", 1),)),
    Scenario("openloop", f"Latency of {OPEN_RATE} puts/s over 64 connections, from the time at which each was meant to be sent", openloop, 400,
             (Bar("open_p50_ratio", "p50, Whitewater : etcd (median of the rounds' ratios)", "below", 1),)),
    Scenario("profile", "Where the time of a put goes, stage by stage, one connection", profile, 120),
]
