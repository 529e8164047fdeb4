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
  centroidstressflag = CENTROID_NOTAVAIL;
  comm_forward = 1;
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
  if (info.needs_exchange && comm->nprocs > 1)
    error->all(FLERR,
               prefix + "a potential with a network runs on one MPI rank for now, this run has " +
                   std::to_string(comm->nprocs));
  diffnnp_host::request_full_list(lmp, neighbor, this);
}

double PairDiffNNP::init_one(int, int)
{
  return info.r_max;
}

/* ---------------------------------------------------------------------- each step */

void PairDiffNNP::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  const int nlocal = atom->nlocal;
  const int nall = nlocal + atom->nghost;

  types.resize(nall);
  for (int i = 0; i < nall; i++) types[i] = model_type[atom->type[i]];
  if (info.needs_exchange) find_owners();

  diffnnp_system system{};
  system.size = sizeof system;
  system.nlocal = nlocal;
  system.nall = nall;
  system.positions = nall > 0 ? atom->x[0] : nullptr;
  system.types = types.data();
  system.inum = list->inum;
  system.ilist = list->ilist;
  system.numneigh = list->numneigh;
  system.firstneigh = list->firstneigh;
  system.neighbour_mask = NEIGHMASK;
  system.owners = info.needs_exchange ? owners.data() : nullptr;
  system.ids = atom->tag_enable ? atom->tag : nullptr;
  system.id_size = sizeof(tagint);

  diffnnp_results results{};
  results.size = sizeof results;
  forces.resize(3 * (size_t) nall);
  results.forces = forces.data();
  double total_virial[6];
  if (vflag_global) results.virial = total_virial;
  if (eflag_atom) {
    atom_energies.resize(nlocal);
    results.atom_energies = atom_energies.data();
  }
  if (vflag_atom) {
    atom_virials.resize(6 * (size_t) nall);
    results.atom_virials = atom_virials.data();
  }

  all_agree(diffnnp_compute(evaluator, &system, &results));
  add_results(results);
}

// On one rank every ghost is an image of a local atom: each is told the index of its owner.
void PairDiffNNP::find_owners()
{
  owners.resize(types.size());
  for (int i = 0; i < atom->nlocal; i++) owners[i] = i;
  diffnnp_host::forward_comm(comm, this);
}

int PairDiffNNP::pack_forward_comm(int n, int *atoms, double *buffer, int, int *)
{
  for (int k = 0; k < n; k++) buffer[k] = owners[atoms[k]];
  return n;
}

void PairDiffNNP::unpack_forward_comm(int n, int first, double *buffer)
{
  for (int k = 0; k < n; k++) owners[first + k] = (int) buffer[k];
}

void PairDiffNNP::add_results(const diffnnp_results &results)
{
  const int nlocal = atom->nlocal;
  // Ghosts have neither forces nor virials: the library leaves all with the local atoms.
  for (int i = 0; i < nlocal; i++)
    for (int k = 0; k < 3; k++) atom->f[i][k] += energy_unit * results.forces[3 * i + k];
  if (eflag_global) eng_vdwl += energy_unit * results.energy;
  if (vflag_global)
    for (int k = 0; k < 6; k++) virial[k] += energy_unit * results.virial[k];
  if (eflag_atom)
    for (int i = 0; i < nlocal; i++) eatom[i] += energy_unit * results.atom_energies[i];
  if (vflag_atom)
    for (int i = 0; i < nlocal; i++)
      for (int k = 0; k < 6; k++) vatom[i][k] += energy_unit * results.atom_virials[6 * i + k];
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
