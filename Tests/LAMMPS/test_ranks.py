"""The same answer on any number of ranks, however the box is cut, and outputs that fit together."""

import pathlib
import tempfile
import unittest

import numpy as np

import models
from lammps import DEBIAN, PYPI, data_file

COLUMNS = "id fx fy fz c_pe c_stress[*] c_centroid[*] x y z"
PARTS = {
    "id": [0],
    "force": [1, 2, 3],
    "energy": [4],
    "stress": range(5, 11),
    "centroid stress": range(11, 20),
    "position": [20, 21, 22],
}
COMPUTES = """
compute pe all pe/atom
compute stress all stress/atom NULL virial
compute centroid all centroid/stress/atom NULL virial
compute p all pressure NULL virial
thermo_style custom step pe c_p[1] vol
"""


class Scene:
    """One way to cut up, or to ill-treat, a box: commands at the points of a script where they have their place."""

    def __init__(
        self, model, start="", box="replicate 2 2 2", late="", steps=0, precision="double", newton="on", style="", types=""
    ):
        self.model, self.start, self.box, self.late, self.steps = model, start, box, late, steps
        self.precision, self.newton, self.hybrid, self.types = precision, newton, style, types
        # Dynamics carries rounding on.
        self.tolerance = 1e-5 if precision == "single" else 1e-9 if steps else 1e-12

    def script(self, name, folder):
        """Dumps to NAME.dump, and prints energy and virials; weight files are in `folder`."""
        types = self.types or " ".join(MODELS[self.model].type_names)
        return f"""
clear
units metal
atom_style atomic
newton {self.newton}
{self.start}
box tilt large
read_data {self.model}.data
{self.box}
mass * 20
neighbor 1.0 bin
pair_style {self.hybrid} diffnnp precision {self.precision}
pair_coeff * * {"diffnnp" if self.hybrid else ""} {folder}/{self.model}.safetensors {types}
{"pair_coeff * * zero" if self.hybrid else ""}
{self.late}
{COMPUTES}
dump 1 all custom 6 {name}.dump {COLUMNS}
dump_modify 1 sort id format float %.17g
run {self.steps}
print "VALUE {name}_energy $(pe:%.17g)"
print "VALUE {name}_xx $(c_p[1]*vol:%.17g)"
print "VALUE {name}_xy $(c_p[4]*vol:%.17g)"
"""


def models_for_ranks():
    folders = {"scalars": "l0", "one": "l1-parity-1layer", "three": "l2-3layers", "triclinic": "l2-parity"}
    folders["tiny"] = "l1-smallcell"
    cases = {name: models.nequip_case(name, folder) for name, folder in folders.items()}
    return cases | {"pair": models.pair_case(), "triplets": models.triplet_case(), "sum": models.sum_case()}


MODELS = models_for_ranks()
DYNAMICS = "velocity all create 600 4711 loop geom\nfix 1 all nve\ntimestep 0.001\nneigh_modify every 1 delay 0 check no\n"
TILED = "comm_style tiled\nbalance 1.0 rcb\n"
SCENES = {
    "pair": Scene("pair", box=""),
    "triplets": Scene("triplets", box=""),
    "tripletsoff": Scene("triplets", box="", newton="off"),
    "scalars": Scene("scalars"),
    "one": Scene("one"),
    "oneoff": Scene("one", newton="off"),
    "three": Scene("three"),
    "threeoff": Scene("three", newton="off"),
    "triclinic": Scene("triclinic"),
    "triclinicoff": Scene("triclinic", newton="off"),
    "sum": Scene("sum"),
    # In single precision, with padded lanes and with full ones.
    "single": Scene("three", precision="single"),
    "full": Scene("tiny", precision="single"),
    "fulloff": Scene("tiny", precision="single", newton="off"),
    "fullhybrid": Scene("tiny", precision="single", style="hybrid/overlay zero 4.0", types="Li NULL"),
    # The cutoff exceeds half the box, or the box: ghosts of atoms on their own rank, and through several domains.
    "small": Scene("three", box=""),
    "tiny": Scene("tiny", box=""),
    "tinyoff": Scene("tiny", box="", newton="off"),
    "tinytriclinic": Scene("triclinic", box=""),
    # Ranks without atoms, and with one atom without neighbours.
    "empty": Scene("three", "boundary f f f", "change_box all x final 0 90 z final 0 70\ncreate_atoms 2 single 80 4 60"),
    "emptyoff": Scene("one", "boundary f p f", "change_box all x final 0 90\ncreate_atoms 2 single 80 4 6", newton="off"),
    "mixed": Scene("three", "boundary p s f", "replicate 2 1 2", newton="off"),
    "wrapped": Scene("triclinic", "boundary p p f"),
    "lines": Scene("three", "processors * 1 1"),
    "slabs": Scene("three", "processors 1 1 *", newton="off"),
    "far": Scene("three", late="comm_modify cutoff 11.0"),
    "shifted": Scene("three", box="replicate 3 1 2", late="balance 1.0 shift xyz 10 1.0"),
    "tiled": Scene("three", late=TILED),
    "tiledoff": Scene("triclinic", "boundary p f p", late=TILED, newton="off"),
    "changed": Scene(
        "three",
        late="group gone id 3 17 40:60\ndelete_atoms group gone compress no\n"
        "create_atoms 3 single 1.1 2.2 15.3\ncreate_atoms 1 single 9.1 14.2 8.3",
    ),
    # The style does not see the atoms of one type.
    "hybrid": Scene("three", style="hybrid/overlay zero 4.0", types="O H NULL"),
    "moving": Scene("sum", late=DYNAMICS, steps=12),
    "balancing": Scene("three", late=TILED + DYNAMICS + "fix 2 all balance 4 1.0 rcb", steps=12, newton="off"),
}
# Where ranks outnumber cores, MPICH is slow, because it waits without giving way: it gets less to do.
CORE = ["oneoff", "three", "small", "empty", "tiledoff"]
LEAST = ["three"]


class Ranks:
    """Against one rank, where ghosts are folded onto their owners and nothing is exchanged."""

    lammps = None

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.temporary.name)
        cls.files = {}
        for name, case in MODELS.items():
            case.save(folder / f"{name}.safetensors")
            positions = (case.positions @ np.linalg.inv(case.cell) % 1) @ case.cell
            cls.files[f"{name}.data"] = data_file(positions, case.types, case.cell)
        cls.weights = folder
        cls.one = cls.run_scenes(1, SCENES)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    @classmethod
    def run_scenes(cls, ranks, names):
        script = "".join(SCENES[name].script(name, cls.weights) for name in names)
        run = cls.lammps.run(script, cls.files, ranks)
        assert run.code == 0, run.output
        return run

    def assert_close(self, a, b, tolerance, message):
        self.assertEqual(a.shape, b.shape, message)
        self.assertLessEqual(np.abs(a - b).max(), tolerance * np.abs(b).max(), message)

    def assert_same(self, run, names):
        for name in names:
            got, expected, tolerance = run.dumps[name], self.one.dumps[name], SCENES[name].tolerance
            for what, columns in PARTS.items():
                self.assert_close(got[:, columns], expected[:, columns], tolerance, f"{name}: {what}")
            energy = self.one.values[name + "_energy"]
            self.assertLess(abs(run.values[name + "_energy"] - energy), tolerance * abs(energy), name)

    def test_all_ranks_agree(self):
        for ranks, names in self.plan.items():
            with self.subTest(ranks=ranks):
                self.assert_same(self.run_scenes(ranks, names), names)

    def test_partitions(self):
        script = "variable w world first second\n" + SCENES["three"].script("${w}", self.weights)
        run = self.lammps.run(script, self.files, 3, ["-partition", "2", "1", "-plog", "none", "-pscreen", "none"])
        self.assertEqual(run.code, 0, run.output)
        for name in ["first", "second"]:
            self.assert_close(run.dumps[name], self.one.dumps["three"], 1e-12, name)

    def test_one_rank_that_fails_stops_all(self):
        atom = self.files["three.data"].splitlines()[-1].split()
        scene = Scene("three", late=f"create_atoms 1 single {' '.join(atom[2:])}")
        for ranks in [1, 4]:
            run = self.lammps.run(scene.script("failing", self.weights), self.files, ranks)
            self.assertNotEqual(run.code, 0, run.output)
            self.assertEqual(len(run.errors), 1, run.output)
            self.assertIn("in one place", run.errors[0])

    def test_pressure_drives_a_triclinic_box(self):
        # The enthalpy is conserved only where the pressure is the derivative of the energy, in all six components.
        barostat = "minimize 0 0.01 50 50\nvelocity all create 300 1 loop geom\nfix 1 all nph tri 0 0 0.1\ntimestep 0.0005\n"
        barostat += "variable conserved equal etotal+f_1\n"
        script = Scene("sum", box="", late=barostat).script("before", self.weights)
        script += "thermo_style custom step etotal v_conserved xy\n"
        for name, steps in [("before", 0), ("after", 100)]:
            script += f"run {steps}\n"
            script += "".join(
                f'print "VALUE {name}_{what} $({formula}:%.17g)"\n'
                for what, formula in {"energy": "etotal", "enthalpy": "v_conserved", "tilt": "xy"}.items()
            )
        run = self.lammps.run(script, self.files)
        self.assertEqual(run.code, 0, run.output)
        values = run.values
        exchanged = abs(values["after_energy"] - values["before_energy"])
        self.assertLess(abs(values["after_enthalpy"] - values["before_enthalpy"]), 1e-3 * exchanged)
        self.assertGreater(abs(values["after_tilt"]), 1e-3)

    def test_what_needs_the_energy_of_a_pair_is_refused(self):
        for command in ["group a type 1\ncompute g all group/group a", "pair_write 1 1 10 r 2 5 table x"]:
            run = self.lammps.run(SCENES["three"].script("x", self.weights) + command + "\nrun 0\n", self.files)
            self.assertNotEqual(run.code, 0)
            self.assertIn("does not support", run.errors[0])

    def test_newton_makes_no_difference(self):
        for name in ["triplets", "one", "three", "triclinic", "tiny"]:
            self.assert_close(self.one.dumps[name + "off"], self.one.dumps[name], 1e-12, name)

    def test_agrees_with_nequip(self):
        for name in ["scalars", "one", "three", "triclinic", "sum"]:
            case, atoms = MODELS[name], self.one.dumps[name]
            forces, energies = np.tile(case.forces, (8, 1)), np.tile(case.energies, 8)
            self.assertLess(np.abs(atoms[:, 1:4] - forces).max(), 1e-9 * np.abs(forces).max(), name)
            self.assertLess(np.abs(atoms[:, 4] - energies).max(), 1e-9 * np.abs(energies).max(), name)

    def test_parts_make_up_the_whole(self):
        for name, scene in SCENES.items():
            atoms, values = self.one.dumps[name], self.one.values
            size = np.abs(atoms[:, 5:20]).sum(0).max()
            stress, centroid = -atoms[:, 5:11].sum(0), -atoms[:, 11:20].sum(0)
            self.assertLess(abs(atoms[:, 4].sum() - values[name + "_energy"]), 1e-12 * np.abs(atoms[:, 4]).sum())
            self.assertLess(abs(stress[0] - values[name + "_xx"]), 1e-12 * size, name)
            self.assertLess(abs(stress[3] - values[name + "_xy"]), 1e-12 * size, name)
            # That both triangles have the same sum is due to the symmetry of the whole, which rounding breaks.
            symmetric = 1e-5 if scene.precision == "single" else 1e-12
            self.assertLess(np.abs(np.append(stress, stress[3:]) - centroid).max(), symmetric * size, name)


def load_tests(loader, _tests, _pattern):
    suite = unittest.TestSuite()
    debian = {2: CORE, 3: SCENES, 4: CORE, 8: SCENES}
    for lammps, plan in [(DEBIAN, debian), (PYPI, {2: SCENES, 3: CORE, 4: LEAST, 8: LEAST})]:
        kind = type(f"{lammps.name}.ranks", (Ranks, unittest.TestCase), {"lammps": lammps, "plan": plan})
        suite.addTests(loader.loadTestsFromTestCase(kind))
    return suite
