#include "pair_diffnnp.h"

#include "lammps_host.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neigh_list.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <utility>

using namespace LAMMPS_NS;

PairDiffNNP::PairDiffNNP(LAMMPS *lmp) : Pair(lmp)
{
  single_enable = 0;
  writedata = 0;
  one_coeff = 1;
  manybody_flag = 1;
  no_virial_fdotr_compute = 1;    // the library computes the virial
  centroidstressflag = CENTROID_AVAIL;
  nextra = 2;
  pvector = extra;
  extra[0] = extra[1] = 0.0;
  over_ranks.size = sizeof over_ranks;
  over_ranks.context = this;
  over_ranks.forward = exchange<double, &PairDiffNNP::forward>;
  over_ranks.reverse = exchange<double, &PairDiffNNP::reverse>;
  over_ranks.forward_single = exchange<float, &PairDiffNNP::forward>;
  over_ranks.reverse_single = exchange<float, &PairDiffNNP::reverse>;
}

PairDiffNNP::~PairDiffNNP()
{
  free_model();
  diffnnp::FixOwnSteps::remove(modify, steps_fix);
  if (allocated) {
    memory->destroy(setflag);
    memory->destroy(cutsq);
  }
  pvector = nullptr;    // not to be freed
}

/* ---------------------------------------------------------------------- each step */

void PairDiffNNP::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  if (!prepared) prepare();
  const bool own = std::exchange(may_be_own_step, false);
  grades_due = own && info.has_grades && is_due(given.grade_every);
  deviation_due = own && info.member_count > 1 && is_due(given.deviation_every);
  force_is_too_large = false;
  const diffnnp_system system = describe_atoms();
  const diffnnp_results results = wanted_results();

  const double others = given.mean_forces ? 1.0 / info.member_count : 0.0;    // their part of the forces
  const int count = given.mean_forces || deviation_due ? info.member_count : 1;
  for (int member = 0; member < count; member++)
    compute_member(member, system, results, given.mean_forces || member > 0 ? others : 1.0);
  if (own) pending = {grades_due, deviation_due, limits_forces && force_is_too_large};
}

void PairDiffNNP::compute_member(size_t member, const diffnnp_system &system, const diffnnp_results &wanted,
                                 double weight)
{
  diffnnp_results results = wanted;
  if (member > 0) results.atom_grades = nullptr;    // the first knows the training data of all
  const diffnnp_status status = diffnnp_compute(evaluators[member], &system, &results);
  if (thrown) std::rethrow_exception(std::exchange(thrown, nullptr));
  force_is_too_large = force_is_too_large || (status == DIFFNNP_OK && weight > 0.0 && exceeds_limit(results));
  all_agree(status);
  if (system.exchange && !force->newton_pair) take_from_ghosts(results);
  if (deviation_due) keep_for_deviation(member, results, system.exchange && force->newton_pair);
  if (weight > 0.0) add_results(results, weight);
}

diffnnp_system PairDiffNNP::describe_atoms()
{
  const int nall = atom->nlocal + atom->nghost;
  types.resize(nall);
  for (int i = 0; i < nall; i++) types[i] = atom->mask[i] & absent_bits ? -1 : model_type[atom->type[i]];
  const double *x = nall > 0 ? atom->x[0] : nullptr;
  if (units.length != 1.0) {
    positions.resize(3 * (size_t) nall);
    for (size_t k = 0; k < positions.size(); k++) positions[k] = units.length * x[k];
    x = positions.data();
  }

  diffnnp_system system{};
  system.size = sizeof system;
  system.nlocal = atom->nlocal;
  system.nall = nall;
  system.positions = x;
  system.types = types.data();
  system.inum = list->inum;
  system.ilist = list->ilist;
  system.numneigh = list->numneigh;
  system.firstneigh = list->firstneigh;
  system.neighbour_mask = NEIGHMASK;
  system.ids = atom->tag_enable ? atom->tag : nullptr;
  system.id_size = sizeof(tagint);
  // Read at each call, as in other styles, because pair_style hybrid changes them for each of its styles.
  if (atom->molecular) {
    system.special_weights = force->special_lj;
    system.special_shift = SBBITS;
  }
  if (info.is_many_body && comm->nprocs > 1) {
    system.exchange = &over_ranks;
  } else if (info.is_many_body) {
    find_owners();
    system.owners = owners.data();
  }
  return system;
}

diffnnp_results PairDiffNNP::wanted_results()
{
  const size_t nlocal = atom->nlocal, nall = types.size();
  const auto room = [](std::vector<double> &values, size_t size) {
    values.resize(size);
    return values.data();
  };
  diffnnp_results results{};
  results.size = sizeof results;
  results.forces = room(forces, 3 * nall);
  if (vflag_global || deviation_due) results.virial = total_virial;
  if (eflag_atom) results.atom_energies = room(atom_energies, nlocal);
  if (vflag_atom) results.atom_virials = room(atom_virials, 6 * nall);
  if (grades_due) results.atom_grades = room(grades, nlocal);
  if (cvflag_atom) results.centroid_virials = room(centroid_virials, 9 * nall);
  return results;
}

// The largest force (eV/A) of the unscaled model that is accepted.
double PairDiffNNP::largest_allowed_force() const
{
  return given.max_force > 0.0 && scale != 0.0 ? given.max_force / std::abs(scale) : HUGE_VAL;
}

bool PairDiffNNP::exceeds_limit(const diffnnp_results &results) const
{
  const double limit = largest_allowed_force(), *f = results.forces;
  double largest = 0.0;
  for (size_t i = 0; i < types.size(); i++, f += 3) largest = std::max(largest, f[0] * f[0] + f[1] * f[1] + f[2] * f[2]);
  return largest > limit * limit;
}

// Stops with a message of the library that names the atom. Nothing has moved since the forces were computed.
void PairDiffNNP::complain_of_force()
{
  const diffnnp_system system = describe_atoms();
  diffnnp_results results{};
  results.size = sizeof results;
  results.forces = forces.data();
  results.max_force = largest_allowed_force();
  for (int member = 0; member < (given.mean_forces ? info.member_count : 1); member++)
    all_agree(diffnnp_compute(evaluators[member], &system, &results));
  stop("a force is larger than max_force");
}

// Adds forces and virials of ghosts to their owners; with newton on, LAMMPS does that itself.
void PairDiffNNP::take_from_ghosts(const diffnnp_results &results)
{
  reverse(results.forces, 3);
  if (vflag_atom) reverse(results.atom_virials, 6);
  if (cvflag_atom) reverse(results.centroid_virials, 9);
}

void PairDiffNNP::add_results(const diffnnp_results &results, double weight)
{
  const int nlocal = atom->nlocal;
  const double energy_unit = weight * scale * units.energy;
  const double force_unit = energy_unit * units.length;
  // Ghosts have forces and virials only where a network is spread over several ranks.
  const int count = force->newton_pair ? (int) types.size() : nlocal;
  for (int i = 0; i < count; i++)
    for (int k = 0; k < 3; k++) atom->f[i][k] += force_unit * results.forces[3 * i + k];
  if (eflag_global) eng_vdwl += energy_unit * results.energy;
  if (vflag_global)
    for (int k = 0; k < 6; k++) virial[k] += energy_unit * results.virial[k];
  if (eflag_atom)
    for (int i = 0; i < nlocal; i++) eatom[i] += energy_unit * results.atom_energies[i];
  if (vflag_atom)
    for (int i = 0; i < count; i++)
      for (int k = 0; k < 6; k++) vatom[i][k] += energy_unit * results.atom_virials[6 * i + k];
  if (cvflag_atom)
    for (int i = 0; i < count; i++)
      for (int k = 0; k < 9; k++) cvatom[i][k] += energy_unit * results.centroid_virials[9 * i + k];
}

/* ---------------------------------------------------------------------- communication */

// On one rank every ghost is an image of a local atom: each is told the index of its owner.
void PairDiffNNP::find_owners()
{
  std::vector<double> &indices = forces;    // not in use yet
  indices.resize(3 * types.size());
  for (int i = 0; i < atom->nlocal; i++) indices[i] = i;
  forward(indices.data(), 1);
  owners.assign(indices.begin(), indices.begin() + (long) types.size());
}

// Called by the library, through which exceptions cannot pass.
template <typename Number, void (PairDiffNNP::*communicate)(Number *, int)>
int PairDiffNNP::exchange(void *style, Number *values, int width)
{
  const auto self = static_cast<PairDiffNNP *>(style);
  try {
    (self->*communicate)(values, width);
    return 0;
  } catch (...) {
    self->thrown = std::current_exception();
    return 1;
  }
}

template <typename Number> void PairDiffNNP::carry(Number *values, int number)
{
  carried = values;
  width = number;
  number_size = sizeof(Number);
}

template <typename Number> void PairDiffNNP::forward(Number *values, int number)
{
  carry(values, number);
  diffnnp_host::forward_comm(comm, this);
}

template <typename Number> void PairDiffNNP::reverse(Number *values, int number)
{
  carry(values, number);
  diffnnp_host::reverse_comm(comm, this);
}

template void PairDiffNNP::reverse(double *, int);    // for deviations

// The number of doubles that rows take in LAMMPS's buffers.
int PairDiffNNP::doubles(int rows) const
{
  return (int) ((rows * row_size() + sizeof(double) - 1) / sizeof(double));
}

int PairDiffNNP::pack_forward_comm(int n, int *atoms, double *buffer, int, int *)
{
  char *row_buffer = reinterpret_cast<char *>(buffer);
  for (int k = 0; k < n; k++) memcpy(row_buffer + row_size() * k, row(atoms[k]), row_size());
  return doubles(n);
}

void PairDiffNNP::unpack_forward_comm(int n, int first, double *buffer)
{
  memcpy(row(first), buffer, row_size() * n);
}

int PairDiffNNP::pack_reverse_comm(int n, int first, double *buffer)
{
  memcpy(buffer, row(first), row_size() * n);
  return doubles(n);
}

void PairDiffNNP::unpack_reverse_comm(int n, int *atoms, double *buffer)
{
  if (number_size == sizeof(float))
    add_received<float>(n, atoms, buffer);
  else
    add_received<double>(n, atoms, buffer);
}

template <typename Number> void PairDiffNNP::add_received(int n, const int *atoms, const double *buffer)
{
  const Number *received = reinterpret_cast<const Number *>(buffer);
  for (int k = 0; k < n; k++) {
    Number *sum = reinterpret_cast<Number *>(row(atoms[k]));
    for (int c = 0; c < width; c++) sum[c] += *received++;
  }
}

// Stops all ranks together, with the message of the first that failed.
void PairDiffNNP::all_agree(diffnnp_status status)
{
  const std::string complaint = first_complaint(status);
  if (!complaint.empty()) stop(complaint);
}

// The message of the first rank that failed, on all of them; "" where none did.
std::string PairDiffNNP::first_complaint(diffnnp_status status)
{
  int lowest[2] = {status == DIFFNNP_OK ? comm->nprocs : comm->me, force_is_too_large ? 0 : 1};
  MPI_Allreduce(MPI_IN_PLACE, lowest, 2, MPI_INT, MPI_MIN, world);
  const int first = lowest[0];
  force_is_too_large = lowest[1] == 0;
  if (first == comm->nprocs) return "";
  char message[1024] = "";
  // The pair style asks for nothing else that the library does not support.
  const char *advice = status == DIFFNNP_ERROR_UNSUPPORTED
      ? "; in LAMMPS, special_bonds lj 0 0 0 takes bonded atoms from the model, special_bonds lj 1 1 1 leaves them to it"
      : "";
  if (comm->me == first) snprintf(message, sizeof message, "%s%s", diffnnp_last_error(), advice);
  MPI_Bcast(message, sizeof message, MPI_CHAR, first, world);
  return message;
}

void PairDiffNNP::stop(const std::string &reason)
{
  error->all(FLERR, "Pair style diffnnp: " + reason);
}
