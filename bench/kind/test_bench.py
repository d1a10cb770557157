#!/usr/bin/env python3
"""What the benchmark on Kubernetes decides without a cluster: how the load's output is read, what is computed of it, how bars are judged, and
how tables and pictures come out."""
import contextlib
import copy
import io
import json
import math
import pathlib
import sys
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "tools/kind"), str(ROOT / "tools")]
import bars  # noqa: E402
import figures  # noqa: E402
import job  # noqa: E402
import plots  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402
import session  # noqa: E402
import stage_plot  # noqa: E402
import svg  # noqa: E402
import systems  # noqa: E402
import watch  # noqa: E402
from bench import Sheet  # noqa: E402
from kube import Failure, Skip  # noqa: E402
from scenarios import Scenario, all_scenarios, diskfull, discovery, disturbance, reactor  # noqa: E402

PUT = {"mode": "open", "connections": 8, "rate": 100, "seconds": 10.0, "completed": 997, "failed": 1, "unknown": 1, "dropped": 1, "per_second": 99.7,
       "latency_us": {"p50": 400.0, "p90": 500.0, "p99": 900.0, "p999": 2000.0, "max": 3000.0, "mean": 420.0},
       "histogram_us": [[400.0, 500], [500.0, 400], [3000.0, 97]],
       "series": {"interval_ms": 100, "completed": [10] * 99 + [7], "failed": [0] * 99 + [2], "max_us": [500.0] * 100},
       "gaps": [{"start_s": 4.0, "ms": 180.0}, {"start_s": 1.0, "ms": 90.0}, {"start_s": 7.0, "ms": 12.0}],
       "started_unix_ms": 1_000_000, "first_error": "10.0.0.1:2379: refused"}
CHECK = {"acknowledged": 997, "found": 997, "lost": [], "lost_count": 0}

# On each side of every bar: a value that meets it, and the nearest that has to miss it.
SIDES = {
    "install": {"first_write_s": (10, 10.1), "clusters": (1, 2), "warnings": (0, 1), "leftovers": (0, 1)},
    "latency": {"p50_ratio": (0.99, 1)}, "throughput": {"throughput_ratio": (1.01, 1)}, "openloop": {"open_p50_ratio": (0.99, 1)},
    "graceful": {"gap_ms": (100, 100.1), "lost": (0, 1)}, "hard": {"gap_ms": (1500, 1500.1), "lost": (0, 1)},
    "rolling": {"failed_percent": (0.03, 0.0301), "lost": (0, 1)},
    "volume": {"follower_s": (60, 60.1), "leader_s": (60, 60.1), "lost": (0, 1)},
    "scale": {"leftovers": (0, 1), "without_quorum": (0, 1), "lost": (0, 1)},
    "everyone": {"gap_s": (10, 10.1), "same_cluster": (1, 0), "lost": (0, 1)},
    "apiserver": {"not_served": (0, 1), "lost": (0, 1)},
    "diskfull": {"refused": (1, 0), "reads": (3, 2), "recovered_s": (30, 30.1), "restarts": (0, 1)},
    "reactor": {"on_uring": (3, 2), "on_epoll": (3, 2), "ratio": (0.7, 0.69)},
    "discovery": {"kubernetes_noticed_s": (1, 1.1), "dns_noticed_s": (35, 35.1), "kubernetes_joined_s": (60, 60.1), "dns_joined_s": (60, 60.1),
                  "file_joined_s": (60, 60.1)}}
NAMED = {scenario.name: scenario for scenario in all_scenarios()}


def log_of(put, check=None, put_code=0, check_code=0):
    text = f"a line of stderr\n== put {put_code}\n{json.dumps(put)}\n"
    return text + (f"== check {check_code}\n{json.dumps(check)}\n" if check else "")


def with_value(path, value):
    put = copy.deepcopy(PUT)
    target = put
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return put


class Reading(unittest.TestCase):
    def test_put_and_check_are_read(self):
        parts = figures.parse_job_log(log_of(PUT, CHECK, check_code=1))
        self.assertEqual((parts["put"], parts["check"], parts["put_code"], parts["check_code"]), (PUT, CHECK, 0, 1))

    def test_a_closed_loop_names_no_rate(self):
        put = {key: value for key, value in PUT.items() if key != "rate"}
        self.assertEqual(figures.parse_job_log(log_of(put))["put"], put)

    def test_a_load_that_was_cut_off_has_no_check(self):
        self.assertNotIn("check", figures.parse_job_log(log_of(PUT)))
        self.assertEqual(figures.parse_job_log("sh: not found\n"), {})

    def test_what_is_no_result_is_refused(self):
        for text in ("== put 0\nnot JSON\n", "== put 0\n[1]\n", "== put x\n{}\n", log_of(PUT)[:-20], log_of(PUT, {"acknowledged": 1}),
                     "== put 0\n" + " " * figures.LOG_BYTES_MAX):
            with self.subTest(text[:40]), self.assertRaises(figures.Malformed):
                figures.parse_job_log(text)

    def test_every_field_that_is_used_is_checked(self):
        bad = [([key], value) for key in figures.NUMBERS for value in (None, "1", -1, math.nan, True)]
        bad += [(["latency_us", "p50"], None), (["histogram_us"], [[1]]), (["histogram_us"], "x"), (["series", "completed"], [None]),
                (["series", "interval_ms"], 0), (["gaps"], [{"ms": 1}]), (["gaps"], None), (["gaps"], [{"start_s": 0, "ms": 1}] * (figures.LIST_MAX + 1))]
        for path, value in bad:
            with self.subTest(f"{path} {str(value)[:30]}"), self.assertRaises(figures.Malformed):
                figures.check_put(with_value(path, value))

    def test_the_script_and_its_reader_agree_on_the_marks(self):
        script = (HERE / "load.sh").read_text()
        for mark in ('echo "== put $?"', 'echo "== check $code"'):
            self.assertIn(mark, script)


class Computing(unittest.TestCase):
    def test_whatever_was_not_acknowledged_was_not_served(self):
        self.assertEqual(figures.not_served(PUT), 3)
        self.assertEqual(figures.operations(PUT), 1000)
        self.assertAlmostEqual(figures.failed_percent(PUT), 0.3)
        self.assertTrue(math.isnan(figures.failed_percent({**PUT, "completed": 0, "failed": 0, "unknown": 0, "dropped": 0})))

    def test_a_gap_counts_when_it_had_not_ended_before(self):
        self.assertEqual(figures.longest_gap_ms(PUT), 180)
        self.assertEqual(figures.longest_gap_ms(PUT, 1_004_100), 180)  # in the middle of it
        self.assertEqual(figures.longest_gap_ms(PUT, 1_004_181), 12)
        self.assertEqual(figures.longest_gap_ms(PUT, 1_009_000), 12)  # all listed ones are over: the bound for what is not listed
        self.assertEqual(figures.longest_gap_ms({**PUT, "completed": 0, "gaps": []}), 10_000)  # never served at all

    def test_what_had_ended_before_is_calm(self):
        self.assertEqual([figures.longest_gap_before_ms(PUT, at) for at in (1_004_100, 1_004_181, 1_000_000)], [90, 180, 0])

    def test_ratios_are_taken_within_a_round(self):
        rounds = [{"whitewater": 1, "etcd": 2}, {"whitewater": 30, "etcd": 10}, {"whitewater": 1, "etcd": 0}]
        self.assertEqual(figures.ratios(rounds, lambda one: one), [0.5, 3])
        self.assertEqual(figures.median([0.5, 3, 1]), 1)
        self.assertTrue(math.isnan(figures.median([])))
        self.assertEqual(figures.spread([1, 3, 2], "ms"), "2 ms (1 to 3, 3 rounds)")
        self.assertEqual((figures.spread([2.5], "s", 1), figures.spread([])), ("2.5 s", "–"))

    def test_histograms_of_rounds_are_one(self):
        merged = figures.merged_histogram([[[1, 2], [5, 1]], [[1, 1], [3, 6]]])
        self.assertEqual(merged, [(1, 3), (3, 6), (5, 1)])
        curve = figures.quantile_curve(merged)
        self.assertEqual([value for _, value in curve], [1, 3, 5, 5])
        for (share, _), wanted in zip(curve, (1, 1 / 0.7, 10, 10)):
            self.assertAlmostEqual(share, wanted)
        self.assertEqual(figures.quantile_curve([]), [])


class Judging(unittest.TestCase):
    def test_every_bar_has_both_sides(self):
        self.assertEqual({name: {bar.key for bar in one.bars} for name, one in NAMED.items() if one.bars}, {name: set(keys) for name, keys in SIDES.items()})

    def test_each_bar_is_met_and_missed_where_it_should_be(self):
        for name, keys in SIDES.items():
            for bar in NAMED[name].bars:
                good, bad = keys[bar.key]
                with self.subTest(f"{name} {bar.key}"):
                    self.assertEqual(bars.judge(bar, {bar.key: good}).word, bars.MET)
                    self.assertEqual(bars.judge(bar, {bar.key: bad}).word, bars.MISSED)

    def test_what_was_not_measured_is_missed(self):
        bar = bars.Bar("x", "x", "at most", 1)
        for values in ({}, {"x": None}, {"x": math.nan}, {"x": "0"}, {"x": True}, {"y": 0}):
            self.assertEqual(bars.judge(bar, values).word, bars.MISSED)
        self.assertEqual(bars.judge(bar, {}, has_run=False).word, bars.NOT_RUN)

    def test_numbers_as_people_write_them(self):
        self.assertEqual([bars.value_text(*pair) for pair in ((10, "s"), (0.354, ""), (0.02, "%"), (123.4, "ms"), (None, "s"))],
                         ["10 s", "0.35", "0.020 %", "123 ms", "–"])


def run_data(**scenarios):
    return {"machine": "a machine", "date": "2026-01-02", "seed": 7, "pace": {"rounds": 3, "speed": 4}, "scenarios": scenarios}


def sheet_of(name, values, outcome="ran", loads=()):
    sheet = Sheet(name)
    sheet.data.update(values=values, outcome=outcome, reason="why | so", load_average=1.5, loads=list(loads))
    sheet.data["figures"].append(["what", "a | b"])
    sheet.data["memberships"].append(["title", ["0.0 s: 3 pods"]])
    return sheet.data


class Reporting(unittest.TestCase):
    graceful = [NAMED["graceful"]]

    def test_a_missed_bar_is_said_in_words(self):
        data = run_data(graceful=sheet_of("graceful", {"gap_ms": 140.2, "lost": 0}))
        text, markdown = report.as_text(self.graceful, data), report.as_markdown(self.graceful, data, {"graceful": [("a/b.svg", "time")]})
        self.assertIn("MISSED", text)
        self.assertIn("| graceful | longest write gap (the worst round) | at most 100 ms | 140 ms | **MISSED** |", markdown)
        for part in ("| graceful | acknowledged writes lost | exactly 0 | 0 | met |", "![time](a/b.svg)", "a \\| b", "load average 1.5", "- 0.0 s: 3 pods",
                     "a machine; 2026-01-02", "kubernetes-results.md"):
            self.assertIn(part, markdown)

    def test_who_missed(self):
        good = {"gap_ms": 40, "lost": 0}
        cases = (([], sheet_of("graceful", good)), (["graceful"], sheet_of("graceful", {**good, "lost": 1})),
                 (["graceful"], sheet_of("graceful", good, "failed")), ([], sheet_of("graceful", {}, "skipped")))
        for wanted, data in cases:
            self.assertEqual(report.missed(self.graceful, run_data(graceful=data)), wanted)
        self.assertEqual(report.missed(self.graceful, run_data()), [])

    def test_what_did_not_run_is_listed_so(self):
        self.assertEqual([row[-1] for row in report.rows(self.graceful, run_data())], ["not run", "not run"])
        skipped = run_data(graceful=sheet_of("graceful", {}, "skipped"))
        self.assertEqual([row[-1] for row in report.rows(self.graceful, skipped)], ["not run", "not run"])
        self.assertIn("graceful skipped: why", report.as_text(self.graceful, skipped))
        self.assertIn("**skipped**: why", report.as_markdown(self.graceful, skipped, {}))


def parsed(text):
    return xml.etree.ElementTree.fromstring(text)


def count_of(text, name, **attributes):
    return sum(all(one.get(key) == value for key, value in attributes.items()) for one in parsed(text).iter("{http://www.w3.org/2000/svg}" + name))


class Pictures(unittest.TestCase):
    loads = [{"label": f"{name}, round {number}", "put": PUT, "events": [[1_004_000, "it is <gone>"]]} for name in ("Whitewater", "etcd") for number in (1, 2)]

    def test_one_curve_for_each_system(self):
        text = plots.distribution("Latency", self.loads)
        self.assertEqual(count_of(text, "polyline"), 2)
        self.assertIn("99.9 %", text)
        self.assertEqual(plots.distribution("nothing", [{"label": "x", "put": {"histogram_us": []}}]), "")

    def test_a_panel_for_each_load_with_its_gaps_and_events(self):
        text = plots.over_time("Gaps", self.loads)
        self.assertEqual(count_of(text, "polyline"), 4)
        self.assertEqual(count_of(text, "rect", fill="#f2c9c4"), 2 * 4)  # of 180 and 90 ms; the one of 12 ms is none
        self.assertIn("it is &lt;gone&gt;", text)
        self.assertEqual(plots.over_time("nothing", []), "")

    def test_scales(self):
        linear = svg.Linear(0, 10, 100, 200)
        self.assertEqual([linear(0), linear(5), linear(10), linear(99), linear(-1)], [100, 150, 200, 200, 100])
        self.assertEqual(linear.ticks(5), [0, 2, 4, 6, 8, 10])
        self.assertEqual(svg.Linear(0, 0.3, 0, 1).ticks(3), [0, 0.1, 0.2, 0.3])
        logarithmic = svg.Logarithmic(30, 900, 0, 300)
        self.assertEqual([round(logarithmic(value)) for value in (10, 100, 1000, 0)], [0, 150, 300, 0])
        self.assertEqual(logarithmic.ticks(), [10, 100, 1000])
        self.assertEqual([svg.duration_text(value) for value in (10, 1000, 1e7)], ["10 µs", "1 ms", "10 s"])

    def test_stages(self):
        quantiles = [[q, 100 * q + 1] for q in (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999)]
        profile = {"connections": 1, "value_bytes": 256, "per_second": 10.0, "stages": [{"name": "queue", "count": 5, "quantiles_us": quantiles},
                                                                                         {"name": "none", "count": 0, "quantiles_us": []}]}
        self.assertEqual(count_of(stage_plot.draw(profile), "circle"), 1)
        with self.assertRaises(ValueError):
            stage_plot.draw({**profile, "stages": []})


def pod(phase="Running", ready="True", **metadata):
    return {"metadata": metadata, "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}],
                                             "containerStatuses": [{"restartCount": 0, "state": {"running": {"startedAt": "1970-01-01T00:00:05Z"}}}]}}


class Seeing(unittest.TestCase):
    def test_etcd_is_what_every_node_holds(self):
        def node(*names):
            return {"status": {"images": [{"names": list(names)}, {"names": None}]}}
        held = ("a.example/etcd:3.6.5-0", "a.example/etcd@sha256:00", "a.example/etcd-backup:1")
        self.assertEqual(session.find_etcd_image([node(*held), node(held[0], "a.example/etcd:3.6.6-0")]), held[0])
        for nodes in ([node(*held), node()], [node(held[2])], []):
            with self.assertRaises(Failure):
                session.find_etcd_image(nodes)

    def test_a_quorum_needs_a_majority_of_the_listed(self):
        sample = {"pods": 4, "voters": ["ww-0", "ww-1", "ww-2"], "learners": ["ww-3"], "answering": ["ww-0", "ww-2"]}
        self.assertFalse(watch.lacks_quorum(sample))
        self.assertEqual(watch.describe(sample), "4 pods, voters 0 1 2 (2 of them answer), learners 3")
        self.assertTrue(watch.lacks_quorum({**sample, "answering": ["ww-0"]}))
        self.assertTrue(watch.lacks_quorum({**sample, "voters": [], "answering": []}))

    def test_pods(self):
        self.assertTrue(systems.is_ready(pod()))
        self.assertFalse(systems.is_ready(pod(ready="False")))
        self.assertFalse(systems.is_ready(pod(deletionTimestamp="now")))
        self.assertEqual(systems.started_ms(pod()), 5000)
        self.assertIsNone(systems.started_ms({"status": {}}))

    def test_a_pod_is_noticed_when_it_is_found_and_not_guessed(self):
        line = '{{"ts":"1970-01-01T00:00:0{}.250Z","level":"info","component":"discovery","msg":"dns: 3 candidates: a-0, a-1{}"}}'
        lines = ["no JSON", line.format(1, ""), line.format(2, "; found under names guessed from the own one: a-3"), line.format(3, ", a-3")]
        self.assertEqual(discovery.first_notice(lines, "a-3"), 3250)
        self.assertIsNone(discovery.first_notice(lines[:3], "a-3"))

    def test_the_reason_of_a_reactor(self):
        lines = ["{}", '{"msg":"I am ww-0","reactor":"epoll","reactor_reason":"seccomp: \\"denied\\""}']
        self.assertEqual(reactor.reason_in(lines), 'seccomp: "denied"')
        self.assertEqual(reactor.reason_in(lines[:1]), "no reason in its log")

    def test_a_refusal_is_an_answer(self):
        class Session:
            class api:
                answers = []

                @classmethod
                def put(cls, *_, seconds):
                    return cls.answers.pop(0)
        for answers, wanted in (([(200, b"")] * 2, None), ([(503, b"no endpoints"), (200, b"")], None), ([(200, b""), (429, b"full")], "429 full")):
            Session.api.answers = list(answers)
            self.assertEqual(diskfull.refused(Session, ["a", "b"]), wanted)

    def test_what_clients_saw_in_a_line(self):
        seen = {"operations": 1000, "not_served": 3, "failed_percent": 0.3, "gap_ms": 180, "lost": 0}
        self.assertEqual(disturbance.words(seen), "1000 puts, 3 not served (0.300 %), longest write gap 180 ms, 0 acknowledged writes lost")


class Shapes(unittest.TestCase):
    def test_a_load_may_run_in_a_restricted_namespace(self):
        pod_spec = job.manifest("load-1", ["sh"], ["a"])["spec"]["template"]["spec"]
        container = pod_spec["containers"][0]
        self.assertTrue(pod_spec["securityContext"]["runAsNonRoot"])
        self.assertEqual(pod_spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
        self.assertFalse(container["securityContext"]["allowPrivilegeEscalation"])
        self.assertEqual(container["securityContext"]["capabilities"], {"drop": ["ALL"]})

    def test_etcd_has_the_shape_of_the_chart(self):
        etcd, values = (HERE / "etcd.yaml").read_text(), (session.CHART / "values.yaml").read_text()
        for line in ("requests: {cpu: 100m, memory: 256Mi}", "terminationGracePeriodSeconds: 60", "minReadySeconds: 10", "fsGroupChangePolicy: OnRootMismatch"):
            self.assertIn(line, etcd)
            self.assertIn(line, values)
        self.assertEqual(etcd.count(systems.IMAGE_MARK), 1)
        self.assertIn("podManagementPolicy: Parallel", etcd)


class Running(unittest.TestCase):
    def run_one(self, function):
        with contextlib.redirect_stdout(io.StringIO()):
            return run.run_scenario(None, Scenario("x", "X", function, 5, (bars.Bar("a", "a", "at most", 1),)))

    def test_a_failure_is_data_and_what_was_measured_stays(self):
        def fails(_, sheet):
            sheet.value("a", 1)
            raise Failure("the cause")
        data = self.run_one(fails)
        self.assertEqual((data["outcome"], data["reason"], data["values"]), ("failed", "the cause", {"a": 1}))

    def test_a_bug_and_a_skip(self):
        def skips(*_):
            raise Skip("not here")
        self.assertEqual(self.run_one(skips)["outcome"], "skipped")
        data = self.run_one(lambda *_: 1 // 0)
        self.assertEqual(data["outcome"], "failed")
        self.assertIn("ZeroDivisionError", data["reason"])

    def test_scenarios_are_chosen_by_name(self):
        everything = list(NAMED.values())
        self.assertEqual(run.chosen([], everything), everything)
        self.assertEqual([one.name for one in run.chosen(["hard", "latency"], everything)], ["latency", "hard"])
        with self.assertRaises(SystemExit):
            run.chosen(["nothing"], everything)


if __name__ == "__main__":
    unittest.main()
