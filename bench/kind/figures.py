"""What the load generator said, checked, and what is computed from it. Pure."""
import json
import math
import statistics

LOG_BYTES_MAX = 8 << 20
LIST_MAX = 100_000
NUMBERS = ("rate", "seconds", "completed", "failed", "unknown", "dropped", "per_second", "started_unix_ms")
QUANTILES = ("p50", "p90", "p99", "p999", "max", "mean")


class Malformed(Exception):
    """The text says what is wrong with the output of a load."""


def parse_job_log(text):
    """{"put": …, "put_code": N, "check": …, "check_code": N} of what bench/kind/load.sh prints; a part that did not run is not there."""
    if len(text) > LOG_BYTES_MAX:
        raise Malformed(f"the load's log has {len(text)} bytes")
    parts, name, lines = {}, None, []
    for line in [*text.splitlines(), "== end 0"]:
        if not line.startswith("== "):
            lines.append(line)
            continue
        if name:
            parts[name] = parse_json(name, "\n".join(lines))
        words = line.split()
        if len(words) != 3 or not words[2].isdigit():
            raise Malformed(f"a mark of the load's log: {line[:80]!r}")
        name, lines = words[1], []
        parts[f"{name}_code"] = int(words[2])
    if "put" in parts:
        check_put(parts["put"])
    if "check" in parts:
        check_check(parts["check"])
    return {key: value for key, value in parts.items() if key != "end_code"}


def parse_json(name, text):
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Malformed(f"{name} printed no JSON ({error}): {text.strip()[-300:]!r}") from None
    if not isinstance(value, dict):
        raise Malformed(f"{name} printed no JSON object: {text[:100]!r}")
    return value


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def check_put(put):
    """Everything that is read later is there and is what it should be."""
    bad = [key for key in NUMBERS if not is_number(put.get(key, 0 if key == "rate" else None))]
    latency, series = put.get("latency_us"), put.get("series")
    if not isinstance(latency, dict) or not all(is_number(latency.get(key)) for key in QUANTILES):
        bad.append("latency_us")
    if not is_pairs(put.get("histogram_us")):
        bad.append("histogram_us")
    if not isinstance(series, dict) or not is_number(series.get("interval_ms")) or series["interval_ms"] == 0 or \
            not all(is_numbers(series.get(key)) for key in ("completed", "failed", "max_us")):
        bad.append("series")
    gaps = put.get("gaps")
    if not isinstance(gaps, list) or len(gaps) > LIST_MAX or \
            not all(isinstance(gap, dict) and is_number(gap.get("start_s")) and is_number(gap.get("ms")) for gap in gaps):
        bad.append("gaps")
    if bad:
        raise Malformed(f"the load's result has no good {', '.join(bad)}")


def check_check(check):
    bad = [key for key in ("acknowledged", "found", "lost_count") if not is_number(check.get(key))]
    if bad:
        raise Malformed(f"the check's result has no good {', '.join(bad)}: {str(check)[:200]}")


def is_numbers(value):
    return isinstance(value, list) and len(value) <= LIST_MAX and all(is_number(entry) for entry in value)


def is_pairs(value):
    return isinstance(value, list) and len(value) <= LIST_MAX and all(is_numbers(pair) and len(pair) == 2 for pair in value)


def operations(put):
    return put["completed"] + put["failed"] + put["unknown"] + put["dropped"]


def not_served(put):
    """Refused, without an answer, or never sent because all connections were busy."""
    return put["failed"] + put["unknown"] + put["dropped"]


def failed_percent(put):
    count = operations(put)
    return 100 * not_served(put) / count if count else math.nan


def longest_gap_ms(put, since_unix_ms=0):
    """The longest time without an acknowledged write that had not ended at `since`. Only the longest gaps are in the result: where all of them
    ended before, what came later was no longer than the shortest of them."""
    if put["completed"] == 0:
        return 1000 * put["seconds"]
    later = [gap["ms"] for gap in put["gaps"] if put["started_unix_ms"] + 1000 * gap["start_s"] + gap["ms"] >= since_unix_ms]
    return max(later, default=min((gap["ms"] for gap in put["gaps"]), default=0))


def longest_gap_before_ms(put, until_unix_ms):
    """Of the gaps that had ended before; 0 where none of them is among the longest."""
    return max((gap["ms"] for gap in put["gaps"] if put["started_unix_ms"] + 1000 * gap["start_s"] + gap["ms"] < until_unix_ms), default=0)


def ratios(rounds, field):
    """Of each round {"whitewater": put, "etcd": put} ours over theirs; a round in which theirs is 0 has none."""
    return [field(one["whitewater"]) / field(one["etcd"]) for one in rounds if field(one["etcd"])]


def median(values):
    return statistics.median(values) if values else math.nan


def spread(values, unit="", digits=0):
    """"median (least to greatest, N rounds)"."""
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.{digits}f} {unit}".rstrip()
    return f"{statistics.median(values):.{digits}f} {unit}".rstrip() + f" ({min(values):.{digits}f} to {max(values):.{digits}f}, {len(values)} rounds)"


def merged_histogram(histograms):
    counts = {}
    for histogram in histograms:
        for upper, count in histogram:
            counts[upper] = counts.get(upper, 0) + count
    return sorted(counts.items())


def quantile_curve(histogram, nines_max=5):
    """Points (1/(1-p), µs) of the cumulated histogram: the axis on which every further nine takes the same room."""
    total, below, points = sum(count for _, count in histogram), 0, []
    for upper, count in histogram:
        share = below / total
        points.append((min(1 / (1 - share), 10.0 ** nines_max), upper))
        below += count
    return [*points, (min(float(total), 10.0 ** nines_max), histogram[-1][0])] if points else []
