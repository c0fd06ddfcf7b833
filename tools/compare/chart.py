#!/usr/bin/env python3
"""Draws the result of compare.py as an SVG: bars of time, one group a case, shorter is better.

    chart.py compare.json docs/compare.svg [--only CASE,…]

Within a group lengths are to scale. A bar that is more than CUT times as long as ours is broken off, so that ours can be
seen; its number says how long it is. The page's light or dark scheme decides the colours.
"""

import argparse
import json
import pathlib
from html import escape

WIDTH = 820
LABEL = 220
BAR = 400
ROW = 22
BAR_HEIGHT = 14
CUT = 8

STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; }
.page { fill: #ffffff; }
.title { font-size: 15px; font-weight: 600; }
.case { font-weight: 600; }
.note, .fact { fill: #59636e; font-size: 11px; }
.number { font-variant-numeric: tabular-nums; }
.ours { fill: #0969da; }
.other { fill: #afb8c1; }
.cut { stroke: #ffffff; stroke-width: 3; fill: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .page { fill: #0d1117; }
  .note, .fact { fill: #9198a1; }
  .ours { fill: #4493f8; }
  .other { fill: #4f5862; }
  .cut { stroke: #0d1117; }
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=pathlib.Path)
    parser.add_argument("svg", type=pathlib.Path)
    parser.add_argument("--only", help="names of cases, separated by commas")
    arguments = parser.parse_args()
    result = json.loads(arguments.result.read_text())
    if arguments.only:
        result["cases"] = [case for case in result["cases"] if case["case"] in arguments.only.split(",")]
    arguments.svg.write_text(draw(result))


def draw(result: dict) -> str:
    body, y = [], 30
    body.append(text(16, y, f"Time at TPC-H scale {result['scale']}, shorter is better", "title"))
    for line in facts(result):
        y += 17
        body.append(text(16, y, line, "fact"))
    y += 14
    for case in result["cases"]:
        y += 22
        body.append(text(16, y, case["title"], "case"))
        if case["note"]:
            y += 15
            body.append(text(16, y, case["note"], "note"))
        y += 8
        body += bars(case, y)
        y += ROW * len(case["contenders"]) + 6
    height = y + 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'role="img" aria-label="Times of SteleDB and of other programs">\n<style>{STYLE}</style>\n'
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def facts(result: dict) -> list[str]:
    machine, versions = result["machine"], result["machine"]["versions"]
    runs = sorted({case["runs"] for case in result["cases"]})
    short = {"duckdb": "DuckDB", "chdb": "chDB", "datafusion": "DataFusion"}
    engines = ", ".join(f"{name} {versions[package]}" for package, name in short.items() if package in versions)
    tools = ", ".join(" ".join(versions[tool].split()[:2]) for tool in ("restic", "rclone") if tool in versions)
    return [
        "Behind a time: how many times as long as SteleDB. A bar with a gap is longer than there is room for.",
        f"Median of {' or '.join(map(str, runs))} runs, one of each program after the other; {machine['cores']} cores, "
        f"{machine['memory_bytes'] / 1e9:.0f} GB of memory, {machine['file_system']}; hot caches, writes durable",
        ", ".join(part for part in (versions.get("stele", ""), engines, tools) if part),
    ]


def bars(case: dict, top: int) -> list[str]:
    ours = next((c["seconds"]["median"] for c in case["contenders"] if c["ours"]), None)
    longest = max(contender["seconds"]["median"] for contender in case["contenders"])
    shown = min(longest, ours * CUT) if ours else longest
    drawn = []
    for row, contender in enumerate(case["contenders"]):
        seconds = contender["seconds"]["median"]
        y = top + ROW * row
        length = max(BAR * min(seconds, shown) / shown, 1.5)
        kind = "ours" if contender["ours"] else "other"
        drawn.append(text(LABEL, y + 12, contender["name"], "", 'text-anchor="end"'))
        drawn.append(f'<rect class="{kind}" x="{LABEL + 10}" y="{y}" width="{length:.1f}" height="{BAR_HEIGHT}" rx="2"/>')
        if seconds > shown:
            x = LABEL + 10 + length - 24
            drawn.append(f'<path class="cut" d="M{x:.1f} {y + BAR_HEIGHT + 2} l8 -{BAR_HEIGHT + 4}"/>')
        ratio = "" if contender["ours"] or not ours else f"  {ratio_text(seconds / ours)}"
        drawn.append(text(LABEL + 18 + length, y + 12, f"{seconds_text(seconds)}{ratio}", "number"))
    return drawn


def seconds_text(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"


def ratio_text(ratio: float) -> str:
    return f"{ratio:.2f}×" if ratio < 10 else f"{ratio:.0f}×"


def text(x: float, y: float, content: str, kind: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y}" class="{kind}" xml:space="preserve" {more}>{escape(content)}</text>'


if __name__ == "__main__":
    main()
