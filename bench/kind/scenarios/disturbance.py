"""What the scenarios share that disturb Whitewater for as long as it takes: an open loop around it, and what clients saw."""
import contextlib
import time

import figures
from bench import Events
from job import Load
from kube import say
from watch import Watch

CONNECTIONS, RATE = 8, 200
CALM_SECONDS = 3
LIMIT_SECONDS = 600


@contextlib.contextmanager
def under_load(bench, sheet, system, title, seconds=None):
    """Yields Events and, once the block is over, fills `seen` of it. With `seconds` the load ends by itself, else when the block does."""
    events = Events()
    load = Load(bench.session, system.endpoints, CONNECTIONS, seconds or LIMIT_SECONDS, rate=RATE, settle=1)
    load.wait_measuring(CALM_SECONDS)
    with Watch(system) as watch:
        since = events.mark(title)
        yield events
        if not seconds:
            time.sleep(CALM_SECONDS)
            load.stop()
    parts = load.result(seconds=seconds or 30)
    put, check = parts["put"], parts["check"]
    events.seen = {"failed_percent": figures.failed_percent(put), "not_served": figures.not_served(put), "lost": check["lost_count"],
                   "gap_ms": figures.longest_gap_ms(put, since), "without_quorum": watch.without_quorum, "operations": figures.operations(put)}
    sheet.load(title, parts, events.list)
    sheet.membership(title, watch.lines())
    watch.print()
    sheet.figure(title, words(events.seen))


def words(seen):
    return (f"{seen['operations']} puts, {seen['not_served']} not served ({seen['failed_percent']:.3f} %), longest write gap {seen['gap_ms']:.0f} ms, "
            f"{seen['lost']} acknowledged writes lost")


def say_after(what, started):
    seconds = time.monotonic() - started
    say(f"    {what} after {seconds:.1f} s")
    return seconds
