"""All LAMMPS tests. Prints "N passed, N failed"; arguments pick tests by parts of their names."""

import pathlib
import sys
import unittest

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent / "Support")]


def flatten(suite):
    for test in suite:
        yield from flatten(test) if isinstance(test, unittest.TestSuite) else [test]


suite = unittest.defaultTestLoader.discover(str(here))
chosen = unittest.TestSuite(test for test in flatten(suite) if all(word in test.id() for word in sys.argv[1:]))
result = unittest.TextTestRunner(verbosity=2).run(chosen)
failed = len({test.id().split(" ")[0] for test, _ in result.failures + result.errors})
print(f"{result.testsRun - failed} passed, {failed} failed")
sys.exit(not result.wasSuccessful())
