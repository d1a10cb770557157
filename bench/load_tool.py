"""Runs bench/load's whitewater-load in a closed loop and returns what the comparisons need of its result."""
import json
import os
import pathlib
import subprocess

WARMUP_SECONDS = 0.5


def cpu_seconds_of(pid):
    """User and system time of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def put_load(build_dir, endpoints, connections, seconds, seed, pids=()):
    """p50_us, p99_us, per_second, completed, errors; with `pids`, the servers', also cpu_us_per_put."""
    before = sum(map(cpu_seconds_of, pids))
    output = subprocess.run(
        [build_dir / "bench/whitewater-load", "put", "--endpoints", endpoints, "--connections", str(connections), "--seconds", str(seconds),
         "--warmup", str(WARMUP_SECONDS), "--seed", str(seed), "--json", "-", "--quiet"],
        check=True, stdout=subprocess.PIPE, text=True, timeout=seconds + 60).stdout
    cpu_seconds = sum(map(cpu_seconds_of, pids)) - before
    full = json.loads(output)
    result = {name: full[name] for name in ("connections", "completed", "per_second", "first_error")}
    result["errors"] = full["failed"] + full["unknown"]
    result.update({f"{name}_us": value for name, value in full["latency_us"].items()})
    if pids:
        # The servers also worked during the warm-up: the share of the measured part is an estimate by time.
        share = full["seconds"] / (full["seconds"] + WARMUP_SECONDS)
        result["cpu_us_per_put"] = cpu_seconds * share * 1e6 / full["completed"]
    return result
