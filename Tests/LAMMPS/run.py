"""All LAMMPS tests, several classes of them at a time. Prints "N passed, N failed"; arguments pick tests by parts of their names."""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import unittest

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent / "Support")]


def flatten(suite):
    for test in suite:
        yield from flatten(test) if isinstance(test, unittest.TestSuite) else [test]


def run(tests):
    result = unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(tests))
    failed = len({test.id().split(" ")[0] for test, _ in result.failures + result.errors})
    print(f"{result.testsRun - failed} of {result.testsRun} passed")
    return result.wasSuccessful()


def run_class(name):
    """Runs the tests of a class in a process of its own: passed and failed tests, and what it printed."""
    process = subprocess.run(
        [sys.executable, __file__, "--class", name, *sys.argv[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    counts = re.search(r"^(\d+) of (\d+) passed$", process.stdout, re.M)
    passed, count = (int(counts[1]), int(counts[2])) if counts else (0, 1)
    return passed, max(count - passed, 1 if process.returncode else 0), process.stdout


def main():
    own = None
    if sys.argv[1:2] == ["--class"]:
        own = sys.argv[2]
        del sys.argv[1:3]
    tests = [test for test in flatten(unittest.defaultTestLoader.discover(str(here))) if all(word in test.id() for word in sys.argv[1:])]
    names = [unittest.util.strclass(type(test)) for test in tests]
    if own:
        return run(test for test, name in zip(tests, names) if name == own)
    passed = failed = 0
    # Those with most tests first, so that none is left over for the end.
    classes = sorted(set(names), key=lambda name: (-names.count(name), name))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for good, bad, output in pool.map(run_class, classes):
            print(output, end="", flush=True)
            passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed")
    return failed == 0


if __name__ == "__main__":
    sys.exit(not main())
