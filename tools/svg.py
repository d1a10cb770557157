"""A picture as SVG text: shapes, and axes with linear or logarithmic scales. Pure; no dependency."""
import html
import math

GREY, LIGHT, RED = "#555", "#ddd", "#b03a2e"


class Svg:
    """Shapes in the order of the calls. Attributes are keyword arguments with `_` for `-`."""

    def __init__(self, width, height):
        self.lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
                      f'<rect width="{width}" height="{height}" fill="white"/>']

    def shape(self, name, content=None, **attributes):
        text = "".join(f' {key.replace("_", "-")}="{number(value)}"' for key, value in attributes.items())
        self.lines.append(f"<{name}{text}/>" if content is None else f"<{name}{text}>{html.escape(content, quote=False)}</{name}>")

    def text(self, x, y, content, **attributes):
        self.shape("text", content, x=x, y=y, **attributes)

    def line(self, x1, x2, y1, y2, **attributes):
        self.shape("line", x1=x1, x2=x2, y1=y1, y2=y2, **attributes)

    def rect(self, x, y, width, height, **attributes):
        self.shape("rect", x=x, width=max(width, 1), y=y, height=height, **attributes)

    def polyline(self, points, **attributes):
        self.shape("polyline", points=" ".join(f"{number(x)},{number(y)}" for x, y in points), fill="none", **attributes)

    def finish(self):
        return "\n".join([*self.lines, "</svg>"]) + "\n"


def number(value):
    return html.escape(value) if isinstance(value, str) else f"{value:.1f}" if isinstance(value, float) else str(value)


class Linear:
    """Values of [low, high] on the way from pixel `start` to pixel `end`; what is outside is put on the border."""

    def __init__(self, low, high, start, end):
        self.low, self.high = low, high if high > low else low + 1
        self.start, self.end = start, end

    def __call__(self, value):
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, wanted=6):
        """About so many round numbers."""
        rough = (self.high - self.low) / wanted
        power = 10 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [round(index * step, 9) for index in range(first, math.floor(self.high / step + 1e-9) + 1)]


class Logarithmic:
    """The same for the powers of ten around `low` and `high`, both above 0."""

    def __init__(self, low, high, start, end):
        self.first = math.floor(math.log10(low))
        self.last = max(math.ceil(math.log10(high)), self.first + 1)
        self.scale = Linear(self.first, self.last, start, end)

    def __call__(self, value):
        return self.scale(math.log10(value) if value > 0 else self.first)

    def ticks(self):
        return [10.0 ** exponent for exponent in range(self.first, self.last + 1)]


def duration_text(microseconds):
    """A power of ten as people say it."""
    for factor, unit in ((1e6, "s"), (1e3, "ms")):
        if microseconds >= factor:
            return f"{microseconds / factor:g} {unit}"
    return f"{microseconds:g} µs"
