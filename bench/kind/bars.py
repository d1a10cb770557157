"""What must hold, as data, and the judge of it. Pure."""
import dataclasses
import math
import operator

RELATIONS = {"at most": operator.le, "at least": operator.ge, "below": operator.lt, "above": operator.gt, "exactly": operator.eq}
MET, MISSED, NOT_RUN = "met", "MISSED", "not run"


@dataclasses.dataclass(frozen=True)
class Bar:
    key: str  # of the value that a scenario measures
    what: str
    relation: str
    limit: float
    unit: str = ""

    def text(self):
        return f"{self.relation} {value_text(self.limit, self.unit)}"


@dataclasses.dataclass(frozen=True)
class Verdict:
    bar: Bar
    value: float | None
    word: str


def judge(bar, values, has_run=True):
    """A value that is missing or no number misses its bar: a scenario that did not come so far has shown nothing."""
    value = values.get(bar.key)
    if not has_run:
        return Verdict(bar, None, NOT_RUN)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return Verdict(bar, None, MISSED)
    return Verdict(bar, value, MET if RELATIONS[bar.relation](value, bar.limit) else MISSED)


def value_text(value, unit):
    if value is None:
        return "–"
    number = f"{value:.0f}" if float(value).is_integer() or abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"
    return f"{number} {unit}".rstrip()
