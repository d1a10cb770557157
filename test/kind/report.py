"""Figures of a run as Markdown: the table of docs/kubernetes-results.md."""
import time

from machine import load_average, machine

METHOD = """\
# Results on Kubernetes

`./dev kind test discovery` applies the manifests of the Kubernetes guide as they are written there (`test/kind/manifests`), one way
after the other, and disturbs each cluster while a load runs. This file is what it wrote (`--record`). The figures show what happens and in which order
of magnitude; they are not a benchmark of speed, which is [kubernetes-bench.md](kubernetes-bench.md).

## Method

- The load runs in a pod of its own beside the cluster, on the control plane node: three clients, one request each at a time with 30 ms between
  them (35 % writes of shared keys, 20 % writes of keys of their own, 15 % compare-and-swap, 30 % linearizable reads), through the addresses of the
  headless service as DNS gives them, time limit 3 s. A client that gets no answer or a refusal counts a failed operation, and goes on with another pod.
- *Longest write gap*: another client writes one key every 10 ms and tries the next pod at once when one fails or is silent for 0.4 s; the longest time between two acknowledged writes.
- *Failed*: refused or without an answer. Both figures cover the time from the disturbance until the membership is whole again, and 5 s more.
- In the end every acknowledged write must be there on every pod and the history of all clients must be linearizable.
- Membership is what the pods answer to `/v3/cluster/member/list` and `/v3/maintenance/status`, asked four times a second; a line for each change. Pods are named by their ordinals.
- The manifests mount no volumes: a pod that was deleted comes back with an empty disk, as a new member, which takes the place of the old one after it caught up as a learner.
"""


def as_markdown(kube, results):
    lines = [METHOD, "## Machine", "", f"{machine(kube)}; load average {load_average():.1f} at the end of the run; {time.strftime('%Y-%m-%d', time.gmtime())}.", ""]
    for result in results:
        trial = result["trial"]
        lines += [f"## {trial.option.title[0].upper()}{trial.option.title[1:]}", ""]
        lines += ["| Step | Result |", "|---|---|"]
        lines += [f"| {name} | {outcome} |" for name, outcome in result["steps"]]
        lines += [f"| {what} | {value} |" for what, value in trial.figures] + [""]
        if trial.disturbances:
            lines += ["| Under load | operations | failed | longest write gap | median write | until whole again |", "|---|---:|---:|---:|---:|---:|"]
            lines += [row(entry) for entry in trial.disturbances] + ["", "Membership over time:", ""]
            for entry in trial.disturbances:
                lines += [f"- {entry['title']}"] + [f"  - {line}" for line in entry["membership"]]
            lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def row(entry):
    failed = entry["failed"] + entry["unknown"]
    median = f"{1000 * entry['median']:.1f} ms" if entry["median"] is not None else "–"
    return (f"| {entry['title']} | {entry['operations']} | {failed} ({100 * failed / max(1, entry['operations']):.2f} %) | "
            f"{1000 * entry['gap']:.0f} ms | {median} | {entry['seconds'] - 5:.0f} s |")
