"""Every row of what has to be measured on Kubernetes. A scenario is a function that gets a Bench and a Sheet and fills the sheet; its bars
stand beside it as data."""
import dataclasses
import typing

from bars import Bar


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    run: typing.Callable
    limit_seconds: int
    bars: tuple[Bar, ...] = ()


def all_scenarios():
    """In the order in which they run: what needs a quiet cluster first, what breaks most last."""
    from scenarios import discovery, diskfull, install, leader, outage, reactor, rolling, scale, speed, volume
    modules = (install, speed, leader, rolling, volume, scale, outage, diskfull, reactor, discovery)
    return [scenario for module in modules for scenario in module.SCENARIOS]
