#include "pair_diffnnp.h"

#include "lammps_host.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neigh_list.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

using namespace LAMMPS_NS;

static const std::string prefix = "Pair style diffnnp: ";

PairDiffNNP::PairDiffNNP(LAMMPS *lmp) : Pair(lmp)
{
  single_enable = 0;
  restartinfo = 0;
  writedata = 0;
  one_coeff = 1;
  manybody_flag = 1;
  no_virial_fdotr_compute = 1;    // the library computes the virial
  centroidstressflag = CENTROID_AVAIL;
}

PairDiffNNP::~PairDiffNNP()
{
  free_model();
  if (allocated) {
    memory->destroy(setflag);
    memory->destroy(cutsq);
  }
}

/* ---------------------------------------------------------------------- pair_style diffnnp [precision P] */

void PairDiffNNP::settings(int narg, char **arg)
{
  precision = DIFFNNP_SINGLE;
  for (int i = 0; i < narg; i += 2) {
    const std::string key = arg[i];
    if (key != "precision")
      error->all(FLERR, prefix + "unknown keyword '" + key + "'; expected: precision single|double");
    const std::string value = i + 1 < narg ? arg[i + 1] : "";
    if (value == "single")
      precision = DIFFNNP_SINGLE;
    else if (value == "double")
      precision = DIFFNNP_DOUBLE;
    else
      error->all(FLERR, prefix + "precision is '" + value + "'; expected single or double");
  }

  const std::string units = update->unit_style;
  if (units == "metal")
    energy_unit = 1.0;
  else if (units == "real")
    energy_unit = utils::get_conversion_factor(utils::ENERGY, utils::METAL2REAL);
  else
    error->all(FLERR, prefix + "units are " + units + "; expected metal or real");
}

/* ---------------------------------------------------------------------- pair_coeff * * FILE ELEMENT ... */

void PairDiffNNP::coeff(int narg, char **arg)
{
  const int ntypes = atom->ntypes;
  if (narg < 3 || strcmp(arg[0], "*") != 0 || strcmp(arg[1], "*") != 0)
    error->all(FLERR, prefix + "expected: pair_coeff * * FILE ELEMENT ..., with an element or NULL for each atom type");
  if (narg != 3 + ntypes)
    error->all(FLERR,
               prefix + "pair_coeff has " + std::to_string(narg - 3) + " elements for " + std::to_string(ntypes) +
                   " atom types; expected one (or NULL) for each");

  load(arg[2]);
  const std::vector<std::string> names = type_names();
  map_types(names, arg + 3);

  if (comm->me == 0) {
    std::string line = prefix + arg[2] + ": types";
    for (const auto &name : names) line += " " + name;
    char numbers[96];
    snprintf(numbers, sizeof numbers, ", cutoff %g A", info.r_max);
    line += numbers;
    if (info.temperature > 0) {
      snprintf(numbers, sizeof numbers, ", trained at %g K", info.temperature);
      line += numbers;
    }
    utils::logmesg(lmp, line + "\n");
  }
}

void PairDiffNNP::load(const std::string &path)
{
  free_model();
  const std::string found = utils::get_potential_file_path(path);    // also looks into LAMMPS_POTENTIALS
  all_agree(diffnnp_model_load(found.empty() ? path.c_str() : found.c_str(), &model));
  info.size = sizeof info;
  all_agree(diffnnp_model_get_info(model, &info));
  all_agree(diffnnp_evaluator_create(model, precision, &evaluator));
}

void PairDiffNNP::free_model()
{
  diffnnp_evaluator_free(evaluator);
  diffnnp_model_free(model);
  evaluator = nullptr;
  model = nullptr;
}

std::vector<std::string> PairDiffNNP::type_names() const
{
  std::vector<std::string> names;
  for (int type = 0; type < info.type_count; type++) {
    const char *name = nullptr;
    if (diffnnp_model_get_type_name(model, type, &name) != DIFFNNP_OK)
      error->all(FLERR, prefix + diffnnp_last_error());
    names.push_back(name);
  }
  return names;
}

void PairDiffNNP::map_types(const std::vector<std::string> &names, char **elements)
{
  const int ntypes = atom->ntypes;
  model_type.assign(ntypes + 1, -1);
  for (int type = 1; type <= ntypes; type++) {
    const std::string element = elements[type - 1];
    if (element == "NULL") {
      if (force->pair == this)
        error->all(FLERR, prefix + "NULL is for atom types that another style of pair_style hybrid knows");
      continue;
    }
    const auto found = std::find(names.begin(), names.end(), element);
    if (found == names.end()) {
      std::string known;
      for (const auto &name : names) known += " " + name;
      error->all(FLERR, prefix + "element '" + element + "' is not in the model, which has:" + known);
    }
    model_type[type] = (int) (found - names.begin());
  }

  if (!allocated) allocate();
  bool any = false;
  for (int i = 1; i <= ntypes; i++)
    for (int j = i; j <= ntypes; j++) {
      setflag[i][j] = model_type[i] >= 0 && model_type[j] >= 0;
      any = any || setflag[i][j];
    }
  if (!any) error->all(FLERR, prefix + "all elements of pair_coeff are NULL");
}

void PairDiffNNP::allocate()
{
  const int size = atom->ntypes + 1;
  memory->create(setflag, size, size, "pair:setflag");
  memory->create(cutsq, size, size, "pair:cutsq");
  for (int i = 0; i < size; i++)
    for (int j = 0; j < size; j++) setflag[i][j] = 0;
  allocated = 1;
}

/* ---------------------------------------------------------------------- before each run */

void PairDiffNNP::init_style()
{
  if (!model) error->all(FLERR, prefix + "pair_coeff is missing");
  reserve_communication();
  diffnnp_host::request_full_list(lmp, neighbor, this);
}

// LAMMPS sizes its buffers by these, after init_style. pair_style hybrid has asked for them earlier, before the model was
// known.
void PairDiffNNP::reserve_communication()
{
  if (!info.needs_exchange) return;
  const int largest_result = 9;    // centroid virials
  comm_forward = std::max(info.exchange_width, 1);
  comm_reverse = comm_reverse_off = std::max(info.exchange_width, largest_result);
  Pair *whole = force->pair;
  whole->comm_forward = std::max(whole->comm_forward, comm_forward);
  whole->comm_reverse = std::max(whole->comm_reverse, comm_reverse);
  whole->comm_reverse_off = std::max(whole->comm_reverse_off, comm_reverse_off);
}

double PairDiffNNP::init_one(int, int)
{
  return info.r_max;
}

double PairDiffNNP::single(int, int, int, int, double, double, double, double &)
{
  error->one(FLERR, prefix + "the energy is no sum over pairs, so one pair has none of its own");
  return 0.0;
}

/* ---------------------------------------------------------------------- each step */

void PairDiffNNP::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  diffnnp_system system = describe_atoms();
  diffnnp_results results = wanted_results();

  diffnnp_exchange over_ranks{};
  over_ranks.size = sizeof over_ranks;
  over_ranks.context = this;
  over_ranks.forward = exchange<&PairDiffNNP::forward>;
  over_ranks.reverse = exchange<&PairDiffNNP::reverse>;
  if (info.needs_exchange && comm->nprocs > 1) {
    system.exchange = &over_ranks;
  } else if (info.needs_exchange) {
    find_owners();
    system.owners = owners.data();
  }

  const diffnnp_status status = diffnnp_compute(evaluator, &system, &results);
  if (thrown) std::rethrow_exception(std::exchange(thrown, nullptr));
  all_agree(status);
  if (system.exchange && !force->newton_pair) take_from_ghosts(results);
  add_results(results);
}

diffnnp_system PairDiffNNP::describe_atoms()
{
  const int nall = atom->nlocal + atom->nghost;
  types.resize(nall);
  for (int i = 0; i < nall; i++) types[i] = model_type[atom->type[i]];

  diffnnp_system system{};
  system.size = sizeof system;
  system.nlocal = atom->nlocal;
  system.nall = nall;
  system.positions = nall > 0 ? atom->x[0] : nullptr;
  system.types = types.data();
  system.inum = list->inum;
  system.ilist = list->ilist;
  system.numneigh = list->numneigh;
  system.firstneigh = list->firstneigh;
  system.neighbour_mask = NEIGHMASK;
  system.ids = atom->tag_enable ? atom->tag : nullptr;
  system.id_size = sizeof(tagint);
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
  if (vflag_global) results.virial = total_virial;
  if (eflag_atom) results.atom_energies = room(atom_energies, nlocal);
  if (vflag_atom) results.atom_virials = room(atom_virials, 6 * nall);
  if (cvflag_atom) results.centroid_virials = room(centroid_virials, 9 * nall);
  return results;
}

// With newton on, LAMMPS takes forces and virials of ghosts to their owners itself.
void PairDiffNNP::take_from_ghosts(const diffnnp_results &results)
{
  reverse(results.forces, 3);
  if (vflag_atom) reverse(results.atom_virials, 6);
  if (cvflag_atom) reverse(results.centroid_virials, 9);
}

void PairDiffNNP::add_results(const diffnnp_results &results)
{
  const int nlocal = atom->nlocal;
  // Ghosts have forces and virials only where a network is spread over several ranks.
  const int count = force->newton_pair ? (int) types.size() : nlocal;
  for (int i = 0; i < count; i++)
    for (int k = 0; k < 3; k++) atom->f[i][k] += energy_unit * results.forces[3 * i + k];
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
  std::vector<double> &indices = forces;    // not in use yet, and large enough
  for (int i = 0; i < atom->nlocal; i++) indices[i] = i;
  forward(indices.data(), 1);
  owners.assign(indices.begin(), indices.begin() + (long) types.size());
}

// Called by the library, through which exceptions cannot pass.
template <void (PairDiffNNP::*communicate)(double *, int)>
int PairDiffNNP::exchange(void *style, double *values, int width)
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

void PairDiffNNP::forward(double *values, int number)
{
  carried = values;
  width = number;
  diffnnp_host::forward_comm(comm, this);
}

void PairDiffNNP::reverse(double *values, int number)
{
  carried = values;
  width = number;
  diffnnp_host::reverse_comm(comm, this);
}

int PairDiffNNP::pack_forward_comm(int n, int *atoms, double *buffer, int, int *)
{
  for (int k = 0; k < n; k++)
    std::copy_n(carried + (size_t) width * atoms[k], width, buffer + (size_t) width * k);
  return n * width;
}

void PairDiffNNP::unpack_forward_comm(int n, int first, double *buffer)
{
  std::copy_n(buffer, (size_t) width * n, carried + (size_t) width * first);
}

int PairDiffNNP::pack_reverse_comm(int n, int first, double *buffer)
{
  std::copy_n(carried + (size_t) width * first, (size_t) width * n, buffer);
  return n * width;
}

void PairDiffNNP::unpack_reverse_comm(int n, int *atoms, double *buffer)
{
  for (int k = 0; k < n; k++) {
    double *sum = carried + (size_t) width * atoms[k];
    for (int c = 0; c < width; c++) sum[c] += *buffer++;
  }
}

// Stops all ranks together, with the message of the first that failed.
void PairDiffNNP::all_agree(diffnnp_status status)
{
  int first = status == DIFFNNP_OK ? comm->nprocs : comm->me;
  MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, world);
  if (first == comm->nprocs) return;
  char message[1024] = "";
  if (comm->me == first) snprintf(message, sizeof message, "%s", diffnnp_last_error());
  MPI_Bcast(message, sizeof message, MPI_CHAR, first, world);
  error->all(FLERR, prefix + message);
}
