#!/usr/bin/env python3
"""Runs the same work on SteleDB and on other programs, one run of each after the other, and writes medians as JSON.

See README.md beside this file. `cases.py` says what is run; this file runs it.
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time

from cases import CASES, Case, Contender, Place, warm

PACKAGES = ["duckdb", "chdb", "datafusion"]
# In the directory that is worked in: says that it is ours to remove, and for which amounts it was prepared.
MARK = "compare.json"
PROGRAMS = {"restic": ["restic", "version"], "rclone": ["rclone", "version"], "cp": ["cp", "--version"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stele", type=pathlib.Path, default=pathlib.Path("target/release/stele"))
    parser.add_argument("--dir", type=pathlib.Path, required=True, help="scratch directory on the disk to be measured")
    parser.add_argument("--scale", default="1", help="of TPC-H lineitem")
    parser.add_argument("--parquet", type=pathlib.Path, help="lineitem at this scale; generated without it")
    parser.add_argument("--csv", type=pathlib.Path, help="the same rows; generated without it")
    parser.add_argument("--segments", type=int, help="for the snapshot; 10,000 for each unit of scale without it")
    parser.add_argument("--small-segments", type=int, default=20_000, help="of 64 KiB, for the backup of small ones")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", help="names of cases, separated by commas")
    parser.add_argument("--result", type=pathlib.Path, default=pathlib.Path("compare.json"),
                        help="JSON file; cases that are not run again stay in it")
    parser.add_argument("--keep", action="store_true", help="leave what was prepared for a later run")
    arguments = parser.parse_args()

    known = [case.name for case in CASES]
    chosen = arguments.only.split(",") if arguments.only else known
    if unknown := set(chosen) - set(known):
        parser.error(f"no case {', '.join(sorted(unknown))}: there are {', '.join(known)}")
    missing = look_for_programs()
    result = read_result(arguments.result, arguments.scale)
    root = arguments.dir.resolve() / "compare"
    claim(root, amounts(arguments))
    try:
        place = Place.prepare(root, arguments)
        for case in CASES:
            if case.name in chosen:
                measured = run_case(case, place, missing, arguments.runs)
                result["cases"] = [other for other in result["cases"] if other["case"] != case.name] + [measured]
                result["cases"].sort(key=lambda measured: known.index(measured["case"]))
                result["machine"] = machine(place)
                arguments.result.write_text(json.dumps(result, indent=2) + "\n")
                print_case(measured)
    finally:
        if not arguments.keep:
            shutil.rmtree(root, ignore_errors=True)
    return 0


def amounts(arguments: argparse.Namespace) -> dict[str, str | None]:
    """What a directory must have been prepared for to be used again."""
    names = ["scale", "parquet", "csv", "segments", "small_segments"]
    chosen = {name: getattr(arguments, name) for name in names}
    return {name: None if value is None else str(value) for name, value in chosen.items()}


def claim(root: pathlib.Path, wanted: dict[str, str | None]) -> None:
    """Takes a directory that is missing or empty, or that an earlier run with the same amounts kept; it is removed later."""
    mark = root / MARK
    if root.exists() and any(root.iterdir()):
        if not mark.is_file():
            raise SystemExit(f"{root} is not empty and no earlier run made it: name another --dir")
        if json.loads(mark.read_text()) != wanted:
            raise SystemExit(f"{root} was prepared for other amounts, see {MARK} in it: give the same ones or another --dir")
    root.mkdir(parents=True, exist_ok=True)
    mark.write_text(json.dumps(wanted) + "\n")


def look_for_programs() -> dict[str, str]:
    """What is not installed, and how it is."""
    missing = {}
    for package in PACKAGES:
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            missing[package] = f"{package} is not installed: pip install -r tools/compare/requirements.txt"
    for program in PROGRAMS:
        if shutil.which(program) is None:
            missing[program] = f"{program} is not installed: see your distribution's packages"
    return missing


def read_result(file: pathlib.Path, scale: str) -> dict:
    if file.exists():
        result = json.loads(file.read_text())
        if result["scale"] == scale:
            return result
        raise SystemExit(f"{file} is of scale {result['scale']}: choose another --result")
    return {"scale": scale, "cases": []}


def run_case(case: Case, place: Place, missing: dict[str, str], runs: int) -> dict:
    """All contenders once, then all once again, and so on, so that what changes on the machine meets all of them."""
    contenders = []
    for contender in case.contenders:
        if contender.program in missing:
            print(f"{case.name}: without {contender.name}: {missing[contender.program]}", file=sys.stderr)
        else:
            contenders.append(contender)
    samples: dict[str, list[dict]] = {contender.name: [] for contender in contenders}
    for contender in contenders:
        contender.prepare(place)
    for number in range(1, runs + 1):
        for contender in contenders:
            warm(*case.reads(place))
            sample = run_once(contender, place)
            samples[contender.name].append(sample)
            print(f"{case.name} {number}/{runs} {contender.name}: {sample['seconds']:.3f} s", file=sys.stderr, flush=True)
    check_answers(case, samples)
    measured = [summary(contender, samples[contender.name]) for contender in contenders]
    return {"case": case.name, "title": case.title, "note": case.note, "runs": runs, "contenders": measured}


def run_once(contender: Contender, place: Place) -> dict:
    """Runs the command of a contender; its own measure of time is taken if it prints one, the wall clock otherwise."""
    command, output = contender.command(place)
    if output is not None:
        remove(output)
    contender.before(place)
    os.sync()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=place.environment())
    stdout, stderr = process.communicate()
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode != 0:
        raise SystemExit(f"{contender.name}: {' '.join(map(str, command))}\n{stderr.decode(errors='replace')[-2000:]}")
    sample = {"seconds": seconds, "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}
    sample |= contender.read(stdout)
    if output is not None:
        remove(output)
    return sample


def remove(path: pathlib.Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def check_answers(case: Case, samples: dict[str, list[dict]]) -> None:
    """A fast wrong answer wins nothing, and neither does none where others give one."""
    answers = {name: [sample.get("answer") for sample in runs] for name, runs in samples.items()}
    every = [answer for given in answers.values() for answer in given]
    known = [answer for answer in every if answer is not None]
    if known and (len(known) < len(every) or max(known) - min(known) > 1e-6 * abs(max(known))):
        raise SystemExit(f"{case.name}: the answers differ: {answers}")


def summary(contender: Contender, samples: list[dict]) -> dict:
    seconds = [sample["seconds"] for sample in samples]
    measured = {
        "name": contender.name,
        "seconds": {"min": min(seconds), "median": statistics.median(seconds), "max": max(seconds)},
        "cpu_seconds": statistics.median(sample["cpu_seconds"] for sample in samples),
        "runs_seconds": seconds,
    }
    peaks = [sample["peak_memory_bytes"] for sample in samples if sample.get("peak_memory_bytes")]
    return measured | ({"peak_memory_bytes": max(peaks)} if peaks else {}) | {"ours": contender.program == "stele"}


def machine(place: Place) -> dict:
    versions = {package: importlib.metadata.version(package) for package in PACKAGES if installed(package)}
    for program, command in PROGRAMS.items():
        if shutil.which(program):
            versions[program] = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]
    versions["stele"] = subprocess.run([place.stele, "--version"], capture_output=True, text=True).stdout.strip()
    kind = subprocess.run(["df", "--output=fstype", place.root], capture_output=True, text=True).stdout.split()[-1]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cores": len(os.sched_getaffinity(0)), "memory_bytes": memory, "file_system": kind,
            "system": platform.platform(), "versions": versions}


def installed(package: str) -> bool:
    try:
        return bool(importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        return False


def print_case(measured: dict) -> None:
    print(f"\n{measured['title']}")
    ours = next((c["seconds"]["median"] for c in measured["contenders"] if c["ours"]), None)
    for contender in measured["contenders"]:
        seconds = contender["seconds"]
        ratio = f"{seconds['median'] / ours:6.2f}x" if ours else ""
        print(f"  {contender['name']:34} {seconds['median']:8.3f} s  ({seconds['min']:.3f} to {seconds['max']:.3f})  "
              f"cpu {contender['cpu_seconds']:7.2f} s {ratio}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
