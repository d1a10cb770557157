"""A run's data as a table for the terminal and as docs/kubernetes-bench.md. Pure: what it needs of the cluster is in the data."""
import bars
import figures

METHOD = """\
# Benchmark on Kubernetes

`./dev kind bench --record` wrote this file. It installs Whitewater with the chart and no values, and etcd as a StatefulSet of the same shape, in one namespace with
Pod Security `restricted`, and runs every scenario below; a bar that is not met says MISSED. All nodes share one machine: **ratios between the two systems and counts mean
something, absolute times belong to the machine of the day.** What the guide's manifests do under failures is in [kubernetes-results.md](kubernetes-results.md).

## Method

- Both systems: three members, one volume each, requests of 100m CPU and 256Mi, soft anti-affinity, `Parallel`, 60 s of grace, defaults otherwise (both elect after 1 s of silence).
  etcd is the image that the nodes of the cluster hold, over plain HTTP.
- The load is `whitewater-load`, etcd's HTTP/JSON gateway in both cases, 256-byte values, as a Job on the control plane node where there is one, else anywhere. *Closed loop*: each connection puts again
  when it is answered. *Open loop*: puts at a fixed rate, the latency counted from when each was meant to be sent.
- Speed: to the leader's pod. Rounds alternate between the systems in an order drawn anew; a ratio is taken within a round, and the median of the ratios counts.
- Disturbances: an open loop through the client service, which leads new connections to ready pods. *Longest write gap*: the longest time in which no write was acknowledged on any connection, from the disturbance on; of several
  rounds the worst is judged. *Not served*: refused, without an answer within 3 s, or never sent since all connections were waiting.
- *Lost*: every acknowledged write is kept and read back, linearizably, when the disturbance is over.
- Voters over time: asked through the API server about three times a second; a line for each change, members by ordinal.
- The start of a container is known in whole seconds, so a time from there may be up to a second too long.
"""
HEADERS = ("Scenario", "What must hold", "Bar", "Seen", "")


def verdicts(scenario, data):
    """Of one scenario's data; None where it was not asked for."""
    has_run = data is not None and data["outcome"] != "skipped"
    return [bars.judge(bar, data["values"] if data else {}, has_run) for bar in scenario.bars]


def rows(scenarios, run):
    for scenario in scenarios:
        for verdict in verdicts(scenario, run["scenarios"].get(scenario.name)):
            yield (scenario.name, verdict.bar.what, verdict.bar.text(), bars.value_text(verdict.value, verdict.bar.unit), verdict.word)


def missed(scenarios, run):
    """Names of scenarios that ran and missed a bar or failed."""
    return [scenario.name for scenario in scenarios if (data := run["scenarios"].get(scenario.name)) and
            (data["outcome"] == "failed" or any(verdict.word == bars.MISSED for verdict in verdicts(scenario, data)))]


def as_text(scenarios, run):
    table = [HEADERS, *rows(scenarios, run)]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEADERS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in table]
    for scenario in scenarios:
        data = run["scenarios"].get(scenario.name)
        if data and data["outcome"] != "ran":
            lines.append(f"{scenario.name} {data['outcome']}: {data['reason']}")
    return "\n".join(lines) + "\n"


def as_markdown(scenarios, run, pictures):
    """`pictures`: of each scenario's name its files, as written beside the text."""
    rounds = f"Rounds: {run['pace']['rounds']}, of {run['pace']['speed']} s each where speed is measured; seed {run['seed']}."
    lines = [METHOD, "## Machine", "", f"{run['machine']}; {run['date']}. {rounds}", "", "## Bars", "", row(*HEADERS), "|---|---|---|---:|---|"]
    lines += [row(*cells[:4], f"**{cells[4]}**" if cells[4] == bars.MISSED else cells[4]) for cells in rows(scenarios, run)] + [""]
    for scenario in scenarios:
        data = run["scenarios"].get(scenario.name)
        if data:
            lines += section(scenario, data, pictures.get(scenario.name, []))
    return "\n".join(lines).rstrip("\n") + "\n"


def section(scenario, data, pictures):
    lines = [f"## {scenario.title}", "", f"`{scenario.name}`, {data['seconds']:.0f} s, load average {data['load_average']:.1f} before it."]
    if data["outcome"] != "ran":
        lines += ["", f"**{data['outcome']}**: {one_line(data['reason'])}"]
    if data["figures"]:
        lines += ["", row("What", "Seen"), "|---|---|", *(row(what, text) for what, text in data["figures"])]
    lines += [part for file, what in pictures for part in ("", f"![{what}]({file})")]
    for title, changes in data["memberships"]:
        lines += ["", f"Voters, {title}:", "", *(f"- {line}" for line in changes)]
    return [*lines, ""]


def row(*cells):
    return "| " + " | ".join(one_line(str(cell)).replace("|", "\\|") for cell in cells) + " |"


def one_line(text):
    return " ".join(text.split())[:400]


def load_words(put):
    """A load in one line, for labels of pictures."""
    return f"{put['per_second']:.0f} puts/s, p50 {put['latency_us']['p50']:.0f} µs, {figures.not_served(put)} not served"
