"""Draws what bench/latency_profile --json wrote: one bar per stage of a put, from p1 to p99.9, on a logarithmic scale."""
import svg

WIDTH, LEFT, BAR, TOP = 860, 110, 34, 60
COLOURS = {"p25-p75": "#3b6ea5", "p10-p90": "#8fb3d9", "p1-p99": "#cfdff0"}


def draw(profile):
    """The SVG's text; ValueError when the profile holds no samples."""
    stages = [s for s in profile["stages"] if s["count"]]
    if not stages:
        raise ValueError("the profile holds no samples")
    quantiles = {s["name"]: {q: max(v, 0.05) for q, v in s["quantiles_us"]} for s in stages}
    right, height = WIDTH - 90, TOP + BAR * len(stages) + 50
    x = svg.Logarithmic(min(q[0.01] for q in quantiles.values()), max(q[0.999] for q in quantiles.values()), LEFT, right)
    picture = svg.Svg(WIDTH, height)
    picture.text(LEFT, 22, f'Latency of a put by stage: {profile["connections"]} connection(s), '
                 f'{profile["value_bytes"]}-byte values, {profile["per_second"]:.0f} puts/s', font_size=15)
    picture.text(LEFT, 42, "box p25-p75, lighter p10-p90 and p1-p99, line p50, dot p99.9 (right: p50 / p99 in µs)", fill=svg.GREY)
    for tick in x.ticks():
        picture.line(x(tick), x(tick), TOP - 8, height - 34, stroke=svg.LIGHT)
        picture.text(x(tick), height - 16, svg.duration_text(tick), text_anchor="middle", fill=svg.GREY)
    for i, stage in enumerate(stages):
        draw_stage(picture, x, stage["name"], quantiles[stage["name"]], TOP + i * BAR, right)
    return picture.finish()


def draw_stage(picture, x, name, q, top, right):
    picture.text(LEFT - 10, top + 18, name, text_anchor="end")
    for band, first, last, inset in (("p1-p99", 0.01, 0.99, 8), ("p10-p90", 0.1, 0.9, 5), ("p25-p75", 0.25, 0.75, 2)):
        picture.rect(x(q[first]), top + inset, x(q[last]) - x(q[first]), 26 - 2 * inset, fill=COLOURS[band])
    picture.line(x(q[0.5]), x(q[0.5]), top + 1, top + 25, stroke=svg.RED, stroke_width=2)
    picture.shape("circle", cx=x(q[0.999]), cy=top + 13, r=3, fill=svg.RED)
    picture.text(right + 8, top + 18, f"{q[0.5]:.0f} / {q[0.99]:.0f}", fill="#333")
