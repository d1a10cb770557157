"""Is a recorded history of puts, reads and compare-and-swaps linearizable? Two independent judges:

* by revision: the store numbers its writes, so the numbers must agree with real time and every read must show what they say;
* by search (Wing & Gong 1993 with Lowe's memory of visited states): per key, ignoring the revisions.

A write without a clear answer may have happened at any time after it began, or never. Times are of one clock."""
import bisect
import dataclasses
import math
import typing

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"


@dataclasses.dataclass
class Op:
    """kind "put": `value` was written. kind "get": `value` was read (None: no such key) at `revision` with `mod_revision`.
    kind "cas": the put of `value` if the key's mod revision was `expected`; when it was not, `swapped` is False and the op
    is a read that saw `read_value`."""
    kind: str
    key: str
    start: float
    end: float = math.inf
    outcome: str = OK
    value: typing.Optional[str] = None
    revision: int = 0
    mod_revision: int = 0
    expected: int = 0
    swapped: bool = True
    read_value: typing.Optional[str] = None

    @property
    def writes(self):
        return self.kind == "put" or (self.kind == "cas" and self.swapped)

    @property
    def seen(self):
        """What a reading op saw."""
        return self.value if self.kind == "get" else self.read_value

    def __str__(self):
        return f"{self.kind} {self.key}={self.value!r} [{self.start:.6f},{self.end:.6f}] {self.outcome} rev {self.revision} mod {self.mod_revision}"


def check(history):
    """A list of violations in words; empty means linearizable."""
    history, problems = _settle_unknown(history)
    problems += _check_revisions(history)
    for key in sorted({op.key for op in history}):
        ops = [op for op in history if op.key == key]
        if not _search(ops):
            problems.append(f"key {key}: no order of its {len(ops)} operations explains what was read")
    return problems


def _settle_unknown(history):
    """Every written value is unique, so a write without an answer either shows up in a read, which gives it a revision and an
    end (it took effect before that read ended), or nobody ever saw it and it may be left out."""
    problems, first_seen = [], {}
    for op in history:
        if op.outcome != OK or op.writes or op.seen is None:
            continue
        known = first_seen.setdefault((op.key, op.seen), [op.end, op.mod_revision])
        known[0] = min(known[0], op.end)
        if known[1] != op.mod_revision:
            problems.append(f"value {op.seen!r} of {op.key} was read with mod revisions {known[1]} and {op.mod_revision}")
    settled, written = [], set()
    for op in history:
        if op.outcome == OK:
            settled.append(op)
            if op.writes:
                written.add((op.key, op.value))
            continue
        seen = first_seen.get((op.key, op.value)) if op.kind != "get" else None
        if seen is None:
            continue
        if op.outcome == FAILED:
            problems.append(f"a refused write was read later: {op}")
            continue
        written.add((op.key, op.value))
        settled.append(dataclasses.replace(op, outcome=OK, swapped=True, end=max(seen[0], op.start), revision=seen[1], mod_revision=seen[1]))
    for key, value in first_seen:
        if (key, value) not in written:
            problems.append(f"value {value!r} of {key} was read but never written")
    return settled, problems


def _check_revisions(history):
    problems = []
    writes = sorted((op for op in history if op.writes), key=lambda op: op.revision)
    for before, after in zip(writes, writes[1:]):
        if before.revision == after.revision:
            problems.append(f"two writes have revision {after.revision}: {before} and {after}")
    problems += _check_real_time(history)
    problems += _check_reads(history, writes)
    return problems


def _check_real_time(history):
    """What ended before an operation began must be visible to it: its revision is not smaller, and a write's is larger."""
    problems = []
    ended = sorted(history, key=lambda op: op.end)
    newest, position = None, 0
    for op in sorted(history, key=lambda op: op.start):
        while position < len(ended) and ended[position].end < op.start:
            if newest is None or ended[position].revision > newest.revision:
                newest = ended[position]
            position += 1
        if newest is None:
            continue
        if op.revision < newest.revision or (op.writes and op.revision == newest.revision):
            problems.append(f"went back in time: {newest} ended before {op} began")
    return problems


def _check_reads(history, writes):
    problems, by_key = [], {}
    for op in writes:
        by_key.setdefault(op.key, ([], []))
        by_key[op.key][0].append(op.revision)
        by_key[op.key][1].append(op)
    for op in history:
        revisions, ops = by_key.get(op.key, ([], []))
        # The state that a swap compared with is the one just before it; a read's is that of its own revision.
        upto = op.revision - 1 if op.writes else op.revision
        position = bisect.bisect_right(revisions, upto) - 1
        current = ops[position] if position >= 0 else None
        if op.kind == "cas":
            found = current.revision if current else 0
            if op.swapped != (found == op.expected):
                problems.append(f"swapped={op.swapped} although the key's mod revision was {found}, expected {op.expected}: {op}")
        if op.writes:
            continue
        if op.seen != (current.value if current else None) or (current and op.mod_revision != current.revision):
            problems.append(f"read {op}, but at revision {op.revision} the last write was {current}")
    return problems


def _search(ops):
    """Wing and Gong's search over one key: is there an order, agreeing with real time, in which each read sees the last write?
    Visited (set of placed operations, value) pairs are not tried again. Swaps are checked as writes and reads here; their
    comparison needs revisions and is judged above."""
    ops = sorted(ops, key=lambda op: op.start)
    events = sorted([(op.start, 0, i) for i, op in enumerate(ops)] + [(op.end, 1, i) for i, op in enumerate(ops)])
    following = list(range(1, len(events) + 1)) + [0]
    head = len(events)  # a list of events with a head that is no event
    following[head] = 0 if events else len(events)
    previous = [head] + list(range(len(events)))
    place_of_end = {i: place for place, (_, is_end, i) in enumerate(events) if is_end}
    end_of_list = len(events)

    def unlink(place):
        before, after = previous[place], following[place]
        following[before] = after
        if after != end_of_list:
            previous[after] = before

    def relink(place):
        before, after = previous[place], following[place]
        following[before] = place
        if after != end_of_list:
            previous[after] = place

    placed, value, visited, stack = 0, None, {(0, None)}, []
    place = following[head] if events else end_of_list
    while following[head] != end_of_list and events:
        if place == end_of_list or events[place][1]:
            # An operation ended that is not placed yet: the last choice was wrong.
            if not stack:
                return False
            place, placed, value = stack.pop()
            relink(place_of_end[events[place][2]])
            relink(place)
            place = following[place]
            continue
        op = ops[events[place][2]]
        fits = op.writes or op.seen == value
        state = (placed | 1 << events[place][2], op.value if op.writes else value)
        if fits and state not in visited:
            visited.add(state)
            stack.append((place, placed, value))
            placed, value = state
            unlink(place)
            unlink(place_of_end[events[place][2]])
            place = following[head]
        else:
            place = following[place]
    return True
