"""Weight files for tests, each with a configuration whose energy and forces are known from elsewhere: from a plain
formula for pair terms and triplets, from nequip itself for networks.

    models.py pair|triplets|network|sum|ungraded|ensemble FILE    writes one of them
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".build" / "release" / "diffnnp"
NEQUIP_MODELS = ROOT / "Tests" / "DiffNNPTests" / "Fixtures" / "nequip-random"


def save_weights(path, type_names, r_max, energy_scale, tensors, **terms):
    """Writes a weight file as docs/FORMAT.md describes it; `terms` are the metadata `pair`, `triplets` and `network`."""
    metadata = {
        "format": "diffnnp",
        "format_version": "1",
        "energy_unit": "eV",
        "length_unit": "Angstrom",
        "type_names": json.dumps(type_names),
        "energy_scale": repr(energy_scale),
        "r_max": repr(r_max),
        "temperature": "300.0",
        "density": json.dumps([0.003] * len(type_names)),
        "cell": "[[25, 0, 0], [0, 25, 0], [0, 0, 25]]",
    }
    metadata |= {key: json.dumps(value) for key, value in terms.items()}
    metadata["checksum"] = checksum(metadata, tensors)
    save_file(tensors, path, metadata)


def checksum(metadata, tensors):
    """FNV-1a over metadata and tensors, as docs/FORMAT.md has it."""
    data = b""
    for key, value in sorted(metadata.items(), key=lambda item: item[0].encode()):
        data += key.encode() + b"\0" + value.encode() + b"\0"
    for name in sorted(tensors, key=str.encode):
        tensor = tensors[name]
        data += name.encode() + b"\0" + ",".join(map(str, tensor.shape)).encode() + b"\0"
        data += np.ascontiguousarray(tensor, "<f8").tobytes()
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return f"fnv1a64:{h:016x}"


def run_json(command):
    """What a program prints as JSON."""
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


class PairTerm:
    """u_ab(r) = sum_k c_abk B(r/h - k + 3) in eV, with cubic B-splines B of knot spacing h."""

    def __init__(self, r_max, coefficients):
        self.r_max = r_max
        self.coefficients = np.asarray(coefficients, float)  # [pairs of types][intervals]
        self.spacing = r_max / self.coefficients.shape[1]

    @classmethod
    def charged_spheres(cls, r_max):
        """Something like Li and Cl ions, with no symmetry between the types."""
        r = np.arange(-1, 39) * r_max / 40
        strength = [(23, 0.8), (39, -0.9), (100, 0.65)]
        return cls(r_max, [a * np.exp(-r / 0.45) + q * np.exp(-r / 2) * (1 - r / r_max) ** 2 for a, q in strength])

    def value(self, a, b, r):
        """Energy and slope for the types a, b of two at distances r < r_max."""
        c = np.append(self.coefficients[[[0, 1], [1, 2]][a][b]], [0, 0, 0])
        m = np.minimum((r / self.spacing).astype(int), len(c) - 4)
        t = r / self.spacing - m
        basis = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
        slopes = [-3 * (1 - t) ** 2, 9 * t**2 - 12 * t, -9 * t**2 + 6 * t + 3, 3 * t**2]
        near = np.array([c[m + k] for k in range(4)])
        return np.sum(near * basis, 0) / 6, np.sum(near * slopes, 0) / 6 / self.spacing

    def evaluate(self, positions, types, cell, weights=None):
        """Energies of the atoms (eV), forces (eV/A) and virial xx yy zz xy xz yz (eV), through all images. The terms of atoms i and j
        are multiplied by weights[i][j]."""
        fractions = positions @ np.linalg.inv(cell)
        positions = (fractions - np.floor(fractions)) @ cell
        reach = np.ceil(self.r_max * np.linalg.norm(np.linalg.inv(cell), axis=0)).astype(int) + 1
        shifts = (np.array(list(np.ndindex(*(2 * reach + 1)))) - reach) @ cell
        energies, forces, virial = np.zeros(len(types)), np.zeros((len(types), 3)), np.zeros((3, 3))
        for i in range(len(types)):
            for j in range(len(types)):
                vectors = positions[j] + shifts - positions[i]
                lengths = np.linalg.norm(vectors, axis=1)
                near = (lengths < self.r_max) & (lengths > 0)
                vectors, lengths = vectors[near], lengths[near]
                u, slope = self.value(types[i], types[j], lengths)
                if weights is not None:
                    u, slope = u * weights[i][j], slope * weights[i][j]
                gradients = vectors * (slope / lengths)[:, None]
                energies[i] += 0.5 * u.sum()
                forces[i] += gradients.sum(0)
                virial -= 0.5 * vectors.T @ gradients
        return energies, forces, virial[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]


class Triplets:
    """E_i = sum_l,p<=q c_alpq sum_jk phi_p(r_ij) phi_q(r_ik) P_l(cos jik) in eV, by these sums; p counts the types of
    neighbours and, for each, the B-splines phi from the first one on."""

    def __init__(self, type_count, r_max, intervals, first, l_max):
        self.type_count, self.r_max, self.intervals, self.first, self.l_max = type_count, r_max, intervals, first, l_max
        self.channels = type_count * (intervals - first)
        p, q = np.triu_indices(self.channels)
        self.coefficients = np.random.default_rng(5).normal(0, 0.02, (type_count, (l_max + 1) * len(p)))
        self.matrices = np.zeros((type_count, l_max + 1, self.channels, self.channels))
        self.matrices[:, :, p, q] = self.coefficients.reshape(type_count, l_max + 1, -1)

    def energy(self, kind, vectors, types):
        """Of a centre with neighbours at complex vectors [n][3] within the cutoff."""
        r = np.sqrt((vectors**2).sum(1))
        unit = vectors / r[:, None]
        phi = np.zeros((len(r), self.channels), complex)
        for n in range(self.intervals - self.first):
            columns = types * (self.intervals - self.first) + n
            phi[np.arange(len(r)), columns] = b_spline(r / self.r_max * self.intervals - (n + self.first) + 3)
        cosines = unit @ unit.T
        legendre = [1 + 0 * cosines, cosines, (3 * cosines**2 - 1) / 2, (5 * cosines**3 - 3 * cosines) / 2]
        return sum(np.sum((phi @ self.matrices[kind, l] @ phi.T) * legendre[l]) for l in range(self.l_max + 1))

    def evaluate(self, positions, types, cell, weights=None):
        """Energies of the atoms (eV) and forces (eV/A), by complex steps. Atoms i and j of weights[i][j] = 0 are no neighbours."""
        fractions = positions @ np.linalg.inv(cell)
        positions = (fractions - np.floor(fractions)) @ cell
        reach = np.ceil(self.r_max * np.linalg.norm(np.linalg.inv(cell), axis=0)).astype(int) + 1
        shifts = (np.array(list(np.ndindex(*(2 * reach + 1)))) - reach) @ cell
        energies, forces, step = np.zeros(len(types)), np.zeros((len(types), 3)), 1e-30
        for i, kind in enumerate(types):
            vectors = positions[:, None] + shifts - positions[i]
            lengths = np.linalg.norm(vectors, axis=2)
            if weights is not None:
                lengths[weights[i] == 0] = 0
            owners, images = np.nonzero((lengths < self.r_max) & (lengths > 0))
            vectors = vectors[owners, images].astype(complex)
            energies[i] = self.energy(kind, vectors, types[owners]).real
            for e, j in enumerate(owners):
                for axis in range(3):
                    moved = vectors.copy()
                    moved[e, axis] += step * 1j
                    slope = self.energy(kind, moved, types[owners]).imag / step
                    forces[i, axis] += slope
                    forces[j, axis] -= slope
        return energies, forces


class Grade:
    """Extrapolation grades by plain formulas, with random means and matrices, such that the largest grade of a
    configuration is 1.3; the closest atoms of each pair of types are a little too close."""

    intervals = 6

    def __init__(self, r_max, type_count, positions, types, cell):
        self.r_max = r_max
        self.pairs = [(a, b) for a in range(type_count) for b in range(a, type_count)]
        rng = np.random.default_rng(11)
        dimension = type_count * self.intervals
        self.means = rng.uniform(0, 1, (type_count, dimension))
        self.whitening = np.triu(rng.normal(0, 1, (type_count, dimension, dimension)))
        self.closest = np.full(len(self.pairs), np.inf)
        self.whitening *= 1.3 / max(self.evaluate(positions, types, cell))
        for a, neighbours in zip(types, self.neighbours(positions, types, cell)):
            for b, r in neighbours:
                k = self.pairs.index((min(a, b), max(a, b)))
                self.closest[k] = min(self.closest[k], 1.02 * r, r_max)
        self.closest[np.isinf(self.closest)] = r_max

    def neighbours(self, positions, types, cell):
        """For each atom its neighbours (type, distance), through all images."""
        fractions = positions @ np.linalg.inv(cell)
        positions = (fractions - np.floor(fractions)) @ cell
        reach = np.ceil(self.r_max * np.linalg.norm(np.linalg.inv(cell), axis=0)).astype(int) + 1
        shifts = (np.array(list(np.ndindex(*(2 * reach + 1)))) - reach) @ cell
        for x in positions:
            lengths = np.linalg.norm(positions[:, None] + shifts - x, axis=2)
            yield [(types[j], r) for j, row in enumerate(lengths) for r in row[(row < self.r_max) & (row > 0)]]

    def evaluate(self, positions, types, cell):
        grades = []
        for a, neighbours in zip(types, self.neighbours(positions, types, cell)):
            counts = np.zeros((len(self.means), self.intervals))
            nearness = [0]
            for b, r in neighbours:
                counts[b] += b_spline(r / self.r_max * self.intervals - np.arange(self.intervals) + 3)
                closest = self.closest[self.pairs.index((min(a, b), max(a, b)))]
                nearness.append(1 + 10 * (1 - r / closest) if np.isfinite(closest) else 0)
            distance = np.linalg.norm(self.whitening[a].T @ (counts.ravel() - self.means[a]))
            grades.append(max(distance, *nearness))
        return np.array(grades)

    @property
    def tensors(self):
        return {"grade.means": self.means, "grade.whitening": self.whitening, "grade.closest": self.closest}


def b_spline(s):
    """The uniform cubic B-spline on [0, 4]."""
    return sum((-1) ** k * [1, 4, 6, 4, 1][k] * np.where(np.real(s) > k, s - k, 0) ** 3 for k in range(5)) / 6


class Case:
    """A potential, for Li and Cl where nothing else is said, and a configuration [n][3] in a cell with its known atom energies, forces and grades."""

    type_names = ["Li", "Cl"]

    def __init__(self, name, positions, types, cell, pair=None, triplets=None, nequip=None, graded=True):
        self.name = name
        self.positions, self.types, self.cell = positions, np.asarray(types), np.asarray(cell, float)
        self.pair, self.triplets, self.nequip = pair, triplets, nequip
        self.energies, self.forces = 0, 0
        self.has_network = nequip is not None
        if pair:
            self.energies, self.forces, _ = pair.evaluate(self.positions, self.types, self.cell)
        if triplets:
            energies, forces = triplets.evaluate(self.positions, self.types, self.cell)
            self.energies, self.forces = self.energies + energies, self.forces + forces
        if nequip:
            reference = np.load(nequip / "reference.npz")
            self.type_names = [str(symbol) for symbol in reference["symbols"]]
            self.energies = self.energies + reference["atomic_energy"][0]
            self.forces = self.forces + reference["F"][0]
        self.grade = Grade(4.0, len(self.type_names), self.positions, self.types, self.cell) if graded else None

    @property
    def grades(self):
        return self.grade.evaluate(self.positions, self.types, self.cell)

    @property
    def energy(self):
        return self.energies.sum()

    @property
    def energy_scale(self):
        """Pair coefficients are stored in units of kT, as training does, if alone."""
        return 0.025852 if not self.has_network else 1.0

    def terms(self, scale=1.0):
        """Tensors and metadata of the terms."""
        tensors, terms = {}, {}
        if self.nequip:
            tensors, terms["network"] = imported(self.nequip / "weights.safetensors")
        if self.pair:
            tensors["pair.coefficients"] = scale * self.pair.coefficients / self.energy_scale
            terms["pair"] = {"r_max": self.pair.r_max, "intervals": self.pair.coefficients.shape[1]}
        if self.triplets:
            tensors["triplets.coefficients"] = scale * self.triplets.coefficients / self.energy_scale
            terms["triplets"] = {key: getattr(self.triplets, key) for key in ["r_max", "intervals", "first", "l_max"]}
        return tensors, terms

    def save(self, path, scale=1.0, more_tensors={}, more_terms={}):
        """Writes the weight file."""
        tensors, terms = self.terms(scale)
        r_max = max(term["r_max"] for term in terms.values())
        if self.grade:
            tensors |= self.grade.tensors
            terms["grade"] = {"r_max": self.grade.r_max, "intervals": self.grade.intervals}
        save_weights(path, self.type_names, r_max, self.energy_scale, tensors | more_tensors, **terms, **more_terms)


def imported(weights):
    """Tensors and architecture of a NequIP model, by the program itself: conventions of old versions differ."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.safetensors"
        # The references were made without scale_by.
        command = [PROGRAM, "import-nequip", weights, "--scale-by", "ignore", "-o", path]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        with safe_open(path, "np") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, json.loads(file.metadata()["network"])


def ions(rng=np.random.default_rng(7)):
    """64 ions near the sites of a crystal, in a triclinic cell that the cutoff exceeds by more than half."""
    cell = np.array([[12.0, 0, 0], [1.1, 11.8, 0], [-0.8, 0.9, 12.3]])
    sites = np.array(list(np.ndindex(4, 4, 4)))
    positions = (sites + 0.5) / 4 @ cell + rng.uniform(-0.4, 0.4, (64, 3))
    return positions, sites.sum(1) % 2, cell


def pair_case():
    return Case("pair", *ions(), pair=PairTerm.charged_spheres(8.0))


def triplet_case():
    return Case("triplets", *ions(), pair=PairTerm.charged_spheres(8.0), triplets=Triplets(2, 4.5, 5, 1, 3))


def ungraded_case():
    return Case("ungraded", *ions(), pair=PairTerm.charged_spheres(8.0), graded=False)


class Ensemble(Case):
    """The pair case, or the sum case, as the first of three members; the others have pair terms 1.1 and 0.8 times as strong."""

    factors = [1.1, 0.8]

    def save(self, path, scale=1.0):
        terms = {"members": 3}
        tensors = {}
        for k, factor in enumerate(self.factors):
            prefix = f"member{k + 2}."
            tensors |= {prefix + key: value for key, value in self.terms(scale * factor)[0].items()}
            terms |= {prefix + key: value for key, value in self.terms()[1].items()}
        super().save(path, scale, tensors, terms)

    @property
    def member_forces(self):
        pair = self.pair.evaluate(self.positions, self.types, self.cell)[1]
        return np.array([self.forces + (factor - 1) * pair for factor in [1, *self.factors]])

    @property
    def member_virials(self):
        """Of pair terms alone: xx yy zz xy xz yz."""
        virial = self.pair.evaluate(self.positions, self.types, self.cell)[2]
        return np.array([factor * virial for factor in [1, *self.factors]])


def ensemble_case():
    return Ensemble("ensemble", *ions(), pair=PairTerm.charged_spheres(8.0))


def ensemble_sum_case():
    case = sum_case()
    case.__class__ = Ensemble
    return case


def network_case():
    return nequip_case("network", "l2-parity")


def full_case():
    """A network of 8 channels, so that no lane is padded."""
    return nequip_case("full", "l1-smallcell")


def sum_case():
    return nequip_case("sum", "l1-2layers", pair=PairTerm.charged_spheres(6.0))


def nequip_case(name, model, pair=None):
    folder = NEQUIP_MODELS / model
    reference = np.load(folder / "reference.npz")
    return Case(name, reference["R"][0], reference["types"], reference["cell"], pair, nequip=folder)


CASES = {"pair": pair_case, "triplets": triplet_case, "network": network_case, "full": full_case, "sum": sum_case}
CASES |= {"ungraded": ungraded_case, "ensemble": ensemble_case, "ensemble_sum": ensemble_sum_case}

if __name__ == "__main__":
    CASES[sys.argv[1]]().save(sys.argv[2])
