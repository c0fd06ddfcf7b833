#!/usr/bin/env python3
"""Draws the result of compare.py as an SVG: bars of time in two columns, one group a case, shorter is better.

    chart.py compare.json docs/compare.svg [--only CASE,…]

Within a group lengths are to scale. A bar that is more than CUT times as long as ours is broken off, so that ours can be
seen; its number says how long it is. The reader's light or dark scheme decides the colours.
"""

import argparse
import json
import pathlib
import textwrap
from html import escape

# As wide as a page of text usually is, so that letters are shown in the size they have here.
WIDTH = 880
MARGIN = 16
GAP = 28
COLUMN = (WIDTH - 2 * MARGIN - GAP) // 2
# Of a column: names of contenders, bars, and behind a bar its time and ratio.
LABEL = 158
NUMBERS = 100
BAR = COLUMN - LABEL - NUMBERS - 6
ROW = 18
BAR_HEIGHT = 12
LINE = 13
CASE_GAP = 16
# Letters of a note in a line, of what stands above all in a line.
NOTE_LETTERS = 74
FACT_LETTERS = 150
CUT = 8

STYLE = """
text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; }
.page { fill: #ffffff; stroke: #d1d9e0; }
.title { font-size: 15px; font-weight: 600; }
.case { font-size: 13px; font-weight: 600; }
.note, .fact { fill: #59636e; font-size: 10.5px; }
.ours-name { font-weight: 600; }
.number { font-variant-numeric: tabular-nums; }
.slower, .faster { font-weight: 600; }
.slower { fill: #59636e; }
.faster { fill: #9a6700; }
.ours { fill: #0969da; }
.other { fill: #afb8c1; }
.cut { stroke: #ffffff; stroke-width: 3; fill: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .page { fill: #0d1117; stroke: #3d444d; }
  .note, .fact { fill: #9198a1; }
  .slower { fill: #9198a1; }
  .faster { fill: #d29922; }
  .ours { fill: #4493f8; }
  .other { fill: #59636e; }
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
    body.append(text(MARGIN, y, f"Time at TPC-H scale {result['scale']}, shorter is better", "title"))
    for line in facts(result):
        y += LINE + 2
        body.append(text(MARGIN, y, line, "fact"))
    top, ends = y + 8, []
    for number, cases in enumerate(columns(result["cases"])):
        y = top
        for case in cases:
            body += group(case, MARGIN + number * (COLUMN + GAP), y)
            y += height_of(case)
        ends.append(y)
    height = max(ends) + MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'role="img" aria-label="Times of SteleDB and of other programs">\n<style>{STYLE}</style>\n'
        f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>\n'
        + "\n".join(body) + "\n</svg>\n"
    )


def columns(cases: list[dict]) -> tuple[list[dict], list[dict]]:
    """The cases in their order, cut where the higher column is lowest."""
    heights = [height_of(case) for case in cases]
    cut = min(range(len(cases) + 1), key=lambda cut: max(sum(heights[:cut]), sum(heights[cut:])))
    return cases[:cut], cases[cut:]


def facts(result: dict) -> list[str]:
    machine, versions = result["machine"], result["machine"]["versions"]
    runs = " or ".join(map(str, sorted({case["runs"] for case in result["cases"]})))
    short = {"duckdb": "DuckDB", "chdb": "chDB", "datafusion": "DataFusion"}
    engines = [f"{name} {versions[package]}" for package, name in short.items() if package in versions]
    tools = [" ".join(versions[tool].split()[:2]) for tool in ("restic", "rclone") if tool in versions]
    lines = [
        f"Behind a time: how many times as long as SteleDB. A bar with a gap is longer than {CUT} times ours.",
        f"Median of {runs} run{'' if runs == '1' else 's'}, one of each program after the other; {machine['cores']} cores, "
        f"{machine['memory_bytes'] / 1e9:.0f} GB of memory, {machine['file_system']}; hot caches, writes durable.",
        ", ".join(part for part in (versions.get("stele", ""), *engines, *tools) if part),
    ]
    return [part for line in lines for part in textwrap.wrap(line, FACT_LETTERS)]


def notes(case: dict) -> list[str]:
    return textwrap.wrap(case["note"], NOTE_LETTERS)


def height_of(case: dict) -> int:
    return CASE_GAP + LINE + LINE * len(notes(case)) + 7 + ROW * len(case["contenders"])


def group(case: dict, left: float, top: float) -> list[str]:
    """Title, notes and bars of a case."""
    y = top + CASE_GAP + LINE - 2
    drawn = [text(left, y, case["title"], "case")]
    for line in notes(case):
        y += LINE
        drawn.append(text(left, y, line, "note"))
    return drawn + bars(case, left, y + 9)


def bars(case: dict, left: float, top: float) -> list[str]:
    ours = next((c["seconds"]["median"] for c in case["contenders"] if c["ours"]), None)
    longest = max(contender["seconds"]["median"] for contender in case["contenders"])
    shown = min(longest, ours * CUT) if ours else longest
    drawn = []
    for row, contender in enumerate(case["contenders"]):
        seconds, is_ours = contender["seconds"]["median"], contender["ours"]
        x, y = left + LABEL + 6, top + ROW * row
        length = max(BAR * min(seconds, shown) / shown, 1.5)
        name_kind = "ours-name" if is_ours else ""
        drawn.append(text(left + LABEL, y + 10, contender["name"], name_kind, 'text-anchor="end"'))
        kind = "ours" if is_ours else "other"
        drawn.append(f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{length:.1f}" height="{BAR_HEIGHT}" rx="2"/>')
        if seconds > shown:
            gap = x + length - 20
            drawn.append(f'<path class="cut" d="M{gap:.1f} {y + BAR_HEIGHT + 2} l7 -{BAR_HEIGHT + 4}"/>')
        ratio = "" if is_ours or not ours else ratio_of(seconds / ours)
        drawn.append(text(x + length + 6, y + 10, seconds_text(seconds), "number", behind=ratio))
    return drawn


def ratio_of(ratio: float) -> str:
    """A ratio to ours, set apart from the time before it; lower than 1 is where others are faster."""
    kind = "slower" if ratio >= 1 else "faster"
    return f'<tspan class="{kind}" dx="7">{ratio_text(ratio)}</tspan>'


def seconds_text(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"


def ratio_text(ratio: float) -> str:
    return f"{ratio:.2f}×" if ratio < 10 else f"{ratio:.0f}×"


def text(x: float, y: float, content: str, kind: str, more: str = "", behind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y}" class="{kind}" {more}>{escape(content)}{behind}</text>'


if __name__ == "__main__":
    main()
