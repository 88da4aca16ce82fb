#!/usr/bin/env python3
"""Plants the mistakes of mistakes.toml in the headers, one at a time, and sees which test notices each.

    tests/mutation/run.py                    all of them: RESULTS.md is written anew
    tests/mutation/run.py --only ID [ID ...] these: their rows of RESULTS.md are
    tests/mutation/run.py --check            only whether each mistake can still be planted: builds nothing

Every mistake is planted in a copy of include/. Of the tests, the sources that it names are compiled against that copy
and run until one fails. Before that the same sources must pass against the headers as they are. The exit status is 0 if
every mistake was caught.

Compiles with $CXX (c++) and $CXXFLAGS. The sources are single files with what they share compiled beforehand, at -O1: a
mistake takes seconds, not the minutes of a whole build.
"""

import argparse
import concurrent.futures
import html
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
LIST = TESTS / "mutation" / "mistakes.toml"
RESULTS = TESTS / "mutation" / "RESULTS.md"
CXX = shlex.split(os.environ.get("CXX", "c++"))
FLAGS = ["-std=c++20", "-O1", "-w", "-pthread", f"-I{TESTS}", "-I/usr/include/eigen3",
         f'-DRVM_TEST_DATA="{TESTS}/data"'] + shlex.split(os.environ.get("CXXFLAGS", ""))
COMPILE_SECONDS = 600
RUN_SECONDS = 120  # a test that takes longer than this hangs

# What most tests include and no mistake is planted in: parsed once.
COMMON = """
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>
#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <Eigen/SVD>
#include <nlohmann/json.hpp>
#include <zlib.h>
#include "support/catch.hpp"
"""


def load():
    with open(LIST, "rb") as file:
        return tomllib.load(file)["mistake"]


def wrong_in_list(mistakes):
    """What is wrong with the list itself, in lines."""
    out = []
    seen = set()
    for m in mistakes:
        if m["id"] in seen:
            out.append(f"{m['id']}: this name occurs twice")
        seen.add(m["id"])
        header = ROOT / "include" / m["header"]
        found = header.read_text().count(m["before"]) if header.is_file() else 0
        if found != 1:
            out.append(f"{m['id']}: expected its text once in {m['header']}, found it {found} times")
        if m["before"] == m["after"]:
            out.append(f"{m['id']}: changes nothing")
        out += [f"{m['id']}: there is no {test}" for test in m["tests"] if not (TESTS / test).is_file()]
    return out


class Failure(Exception):
    """What must work, and does not."""


def run(command, seconds):
    """(exit status, output); the status is None if it took too long."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return None, (late.stdout or b"").decode(errors="replace")


def compile_(arguments):
    status, output = run(CXX + FLAGS + arguments, COMPILE_SECONDS)
    if status != 0:
        raise Failure("\n".join(output.splitlines()[:20]) or "the compiler took too long")


class Bench:
    """A folder with what all test programs share, compiled."""

    def __init__(self, folder):
        self.folder = folder
        self.common = folder / "common.hpp"
        self.common.write_text(COMMON)
        compile_(["-x", "c++-header", str(self.common), "-o", f"{self.common}.gch"])
        self.shared = []
        for source in ["support/main.cpp", "support/allocations.cpp"]:
            self.shared.append(str(folder / source.replace("/", "_")) + ".o")
            compile_([f"-I{ROOT}/include", "-c", str(TESTS / source), "-o", self.shared[-1]])
        # Version 3 of Catch2 comes as libraries.
        _, output = run(CXX + FLAGS + ["-include", "support/catch.hpp", "-E", "-x", "c++", "-dM", os.devnull], 60)
        self.libraries = ["-lCatch2Main", "-lCatch2"] if "CATCH_ALL_HPP_INCLUDED" in output else []

    def try_test(self, test, backends, include, program):
        """None if the test passes against the headers in `include`, else the name of the test case that fails."""
        defines = [f"-DRVM_TEST_BACKENDS={backends}"] if backends else []
        sources = [str(TESTS / test)]
        if "support/levels.hpp" in (TESTS / test).read_text():
            sources.append(str(TESTS / "support/levels.cpp"))
        compile_(defines + ["-include", str(self.common), f"-I{include}", *sources, *self.shared, *self.libraries, "-lz",
                            "-o", str(program)])
        status, output = run([str(program), "--abort", "--reporter", "xml"], RUN_SECONDS)
        program.unlink()
        if status == 0:
            return None
        names = re.findall(r'<TestCase name="([^"]*)"', output)
        name = re.sub(r"( - [\w:<>]+)+$", "", html.unescape(names[-1])) if names else "does not begin"
        return name + (" (hangs)" if status is None else "")

    def plant(self, mistake):
        """What catches the mistake: (test source, test case), or None."""
        folder = self.folder / mistake["id"]
        try:
            shutil.copytree(ROOT / "include", folder)
            header = folder / mistake["header"]
            header.write_text(header.read_text().replace(mistake["before"], mistake["after"]))
            for test in mistake["tests"]:
                case = self.try_test(test, mistake.get("backends", DEFAULT_BACKENDS), folder, folder / "program")
                if case:
                    return test, case
            return None
        except Failure as failure:
            if not re.search("static.assert", str(failure)):
                raise
            return test, "a static assertion"
        finally:
            shutil.rmtree(folder)


DEFAULT_BACKENDS = "rvm::EigenCpu<float>"


def room_of(mistake):
    """The folder of include/rvm that a mistake is in."""
    parts = pathlib.PurePath(mistake["header"]).parts
    return parts[1] if len(parts) > 2 else "the rest"


def row(mistake, caught):
    return f"| {mistake['what']} | `{mistake['header'].removeprefix('rvm/')}` | {caught} |"


def write_results(mistakes, rows):
    """The table; mistakes that were not planted now keep their row, if they have one."""
    old = RESULTS.read_text().splitlines() if RESULTS.is_file() else []
    lines = ["# Planted mistakes, and the first test that notices each", "",
             "Written by `tests/mutation/run.py`; the mistakes themselves are in `mistakes.toml`."]
    room = None
    for m in mistakes:
        if room_of(m) != room:
            room = room_of(m)
            lines += ["", f"## {room}", "", "| mistake | header | caught by |", "|---|---|---|"]
        before = [line for line in old if line.startswith(row(m, "").removesuffix(" |"))]
        lines.append(rows.get(m["id"]) or (before + [row(m, "not planted yet")])[0])
    RESULTS.write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description="Plants mistakes in the headers and sees which test notices each.")
    parser.add_argument("--only", nargs="+", metavar="ID", help="plant these alone")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="mistakes at a time")
    parser.add_argument("--check", action="store_true", help="only see whether each mistake can be planted")
    arguments = parser.parse_args()

    mistakes = load()
    wrong = wrong_in_list(mistakes)
    wrong += [f"{name}: no such mistake" for name in arguments.only or [] if name not in {m["id"] for m in mistakes}]
    if wrong:
        sys.exit("\n".join(wrong))
    if arguments.check:
        print(f"{len(mistakes)} mistakes can be planted")
        return
    chosen = [m for m in mistakes if not arguments.only or m["id"] in arguments.only]

    begin = time.monotonic()
    rows = {}
    failures = 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        bench = Bench(pathlib.Path(folder))
        sources = sorted({(test, m.get("backends", DEFAULT_BACKENDS)) for m in chosen for test in m["tests"]})

        def passes(numbered):
            i, (test, backends) = numbered
            case = bench.try_test(test, backends, ROOT / "include", bench.folder / f"right_{i}")
            if case:
                raise Failure(f"{test} fails without any mistake: {case}")

        list(pool.map(passes, enumerate(sources)))
        print(f"{len(sources)} test sources pass without a mistake ({time.monotonic() - begin:.0f} s)", flush=True)

        def plant(mistake):
            try:
                return bench.plant(mistake), None
            except Failure as failure:
                return None, failure

        for m, (caught, failure) in zip(chosen, pool.map(plant, chosen)):
            if failure:
                text = "**does not compile**"
                print(failure)
            else:
                text = f"`{caught[0]}`: {caught[1]}" if caught else "**nothing**"
            failures += caught is None
            rows[m["id"]] = row(m, text)
            print(f"{m['id']}: {text} ({time.monotonic() - begin:.0f} s)", flush=True)
    write_results(mistakes, rows)
    if failures:
        sys.exit(f"{failures} of {len(chosen)} mistakes were not caught")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
