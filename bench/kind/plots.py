"""Pictures of a scenario's loads: the distribution of their latency, and throughput with write gaps over time. Pure."""
import figures
import svg

WIDTH, LEFT, RIGHT, TOP = 860, 80, 30, 60
COLOURS = {"Whitewater": "#3b6ea5", "etcd": "#c77f1a"}
OTHER = "#666"
CURVES_BOTTOM, CURVES_HEIGHT = 360, 420
PANEL, PANEL_GAP, PANELS_MAX = 120, 54, 12
GAP_SHOWN_MS = 50


def colour(label):
    return next((code for name, code in COLOURS.items() if label.startswith(name)), OTHER)


def distribution(title, loads):
    """One curve per system over all of its rounds: latency by percentile, every further nine as wide as the one before. "" without samples."""
    merged = {}
    for load in loads:
        merged.setdefault(load["label"].partition(",")[0], []).append(load["put"]["histogram_us"])
    curves = {name: figures.quantile_curve(figures.merged_histogram(histograms)) for name, histograms in merged.items()}
    curves = {name: points for name, points in curves.items() if points}
    if not curves:
        return ""
    values = [value for points in curves.values() for _, value in points if value > 0]
    x = svg.Logarithmic(1, max(x for points in curves.values() for x, _ in points), LEFT, WIDTH - RIGHT)
    y = svg.Logarithmic(min(values), max(values), CURVES_BOTTOM, TOP)
    picture = svg.Svg(WIDTH, CURVES_HEIGHT)
    picture.text(LEFT, 22, title, font_size=15)
    for tick in x.ticks():
        picture.line(x(tick), x(tick), TOP, CURVES_BOTTOM, stroke=svg.LIGHT)
        picture.text(x(tick), CURVES_BOTTOM + 18, f"{100 * (1 - 1 / tick):.6g} %", text_anchor="middle", fill=svg.GREY)
    for tick in y.ticks():
        picture.line(LEFT, WIDTH - RIGHT, y(tick), y(tick), stroke=svg.LIGHT)
        picture.text(LEFT - 8, y(tick) + 4, svg.duration_text(tick), text_anchor="end", fill=svg.GREY)
    picture.text(LEFT, CURVES_BOTTOM + 40, "share of the puts that were acknowledged at least so fast", fill=svg.GREY)
    for index, (name, points) in enumerate(curves.items()):
        picture.polyline([(x(share), y(value)) for share, value in points], stroke=colour(name), stroke_width=2)
        picture.text(LEFT + 8 + 140 * index, 46, name, fill=colour(name), font_weight="bold")
    return picture.finish()


def over_time(title, loads):
    """One panel per load: puts/s, not served in red below, gaps as red bands, events as lines. "" without loads."""
    loads = loads[:PANELS_MAX]
    if not loads:
        return ""
    picture = svg.Svg(WIDTH, TOP + (PANEL + PANEL_GAP) * len(loads))
    picture.text(LEFT, 22, title, font_size=15)
    picture.text(LEFT, 42, f"puts/s; red: not served, and gaps of {GAP_SHOWN_MS} ms or more without an acknowledged write", fill=svg.GREY)
    for index, load in enumerate(loads):
        draw_panel(picture, load, TOP + 20 + index * (PANEL + PANEL_GAP))
    return picture.finish()


def draw_panel(picture, load, top):
    put, bottom = load["put"], top + PANEL
    step = put["series"]["interval_ms"] / 1000
    rates = [count / step for count in put["series"]["completed"]]
    x = svg.Linear(0, max(put["seconds"], step), LEFT, WIDTH - RIGHT)
    y = svg.Linear(0, max(rates, default=1) * 1.05 or 1, bottom, top)
    for gap in put["gaps"]:
        if gap["ms"] >= GAP_SHOWN_MS:
            picture.rect(x(gap["start_s"]), top, x(gap["start_s"] + gap["ms"] / 1000) - x(gap["start_s"]), PANEL, fill="#f2c9c4")
    for tick in x.ticks(10):
        picture.line(x(tick), x(tick), top, bottom, stroke=svg.LIGHT)
        picture.text(x(tick), bottom + 14, f"{tick:g} s", text_anchor="middle", fill=svg.GREY)
    for tick in y.ticks(3):
        picture.text(LEFT - 8, y(tick) + 4, f"{tick:g}", text_anchor="end", fill=svg.GREY)
    picture.polyline([(x((i + 0.5) * step), y(rate)) for i, rate in enumerate(rates)], stroke=colour(load["label"]), stroke_width=1.5)
    for i, count in enumerate(put["series"]["failed"]):
        if count:
            picture.rect(x(i * step), bottom - 6, x((i + 1) * step) - x(i * step), 6, fill=svg.RED)
    for when, text in load["events"]:
        at = x((when - put["started_unix_ms"]) / 1000)
        picture.line(at, at, top, bottom, stroke="#333", stroke_dasharray="4 3")
        picture.text(at + 4, top + 12, text, font_size=10, fill="#333")
    longest = max((gap["ms"] for gap in put["gaps"]), default=0)
    picture.text(LEFT, top - 6, f"{load['label']}: longest gap {longest:.0f} ms", fill=colour(load["label"]), font_weight="bold")
