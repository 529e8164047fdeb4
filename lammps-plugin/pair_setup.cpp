// What pair_style diffnnp does before a run: commands, restart files, and checks of what surrounds it.
#include "pair_diffnnp.h"

#include "lammps_host.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "fix.h"
#include "force.h"
#include "memory.h"
#include "modify.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

using namespace LAMMPS_NS;

static const std::string prefix = "Pair style diffnnp: ";

// A number for people.
std::string PairDiffNNP::short_form(double number)
{
  char text[32];
  snprintf(text, sizeof text, "%g", number);
  return text;
}

/* ---------------------------------------------------------------------- pair_style diffnnp KEYWORD VALUE ... */

void PairDiffNNP::settings(int narg, char **arg)
{
  given = Settings();
  grade_file.clear();
  deviation_file.clear();
  int next = 0;
  const auto take = [&] { return std::string(next < narg ? arg[next++] : ""); };
  const auto number = [&](const std::string &what, const std::string &word) {
    const double number = word.empty() ? 0.0 : utils::numeric(FLERR, word.c_str(), false, lmp);
    if (!(number > 0.0)) stop(what + " is '" + word + "'; expected a positive number");
    return number;
  };
  const auto positive = [&](const std::string &what) { return number(what, take()); };
  const auto limit = [&](const std::string &what) {
    const std::string word = take();
    return word == "none" ? 0.0 : number(what, word);
  };
  const auto interval = [&](const std::string &what) {
    const std::string word = take();
    const int steps = word.empty() ? -1 : utils::inumeric(FLERR, word.c_str(), false, lmp);
    if (steps < 0) stop(what + " is '" + word + "'; expected a number of steps, or 0 for never");
    return steps;
  };
  const auto extrapolation = [&](const std::string &word) {
    next++;
    if (word == "every") {
      given.grade_every = interval("every of extrapolation");
    } else if (word == "warn") {
      given.grade_warn = limit("warn of extrapolation");
    } else if (word == "stop") {
      given.grade_stop = limit("stop of extrapolation");
    } else if (word == "dump") {
      given.grade_dump = positive("dump of extrapolation");
      grade_file = take();
      if (grade_file.empty()) stop("dump of extrapolation needs a grade and a file");
    } else {
      next--;
      return false;
    }
    return true;
  };
  const auto deviation = [&](const std::string &word) {
    next++;
    if (word == "every") {
      given.deviation_every = interval("every of deviation");
    } else if (word == "file") {
      deviation_file = take();
      if (deviation_file.empty()) stop("file of deviation needs a name");
    } else if (word == "forces") {
      const std::string forces = take();
      if (forces != "first" && forces != "mean") stop("forces of deviation is '" + forces + "'; expected first or mean");
      given.mean_forces = forces == "mean";
    } else {
      next--;
      return false;
    }
    return true;
  };

  while (next < narg) {
    const std::string key = take();
    if (key == "precision") {
      const std::string word = take();
      if (word != "single" && word != "double") stop("precision is '" + word + "'; expected single or double");
      given.precision = word == "single" ? DIFFNNP_SINGLE : DIFFNNP_DOUBLE;
    } else if (key == "threads") {
      const std::string word = take();
      given.threads = word.empty() ? 0 : utils::inumeric(FLERR, word.c_str(), false, lmp);
      if (given.threads < 1 || given.threads > 1024)
        stop("threads is '" + word + "'; expected a number from 1 to 1024, of each rank");
    } else if (key == "max_force") {
      given.max_force = limit("max_force");
    } else if (key == "scales") {
      given.sigma = positive("sigma of scales");
      given.epsilon = positive("epsilon of scales");
    } else if (key == "extrapolation") {
      if (next == narg || !extrapolation(arg[next]))
        stop("extrapolation needs one of: every N, warn GRADE|none, stop GRADE|none, dump GRADE FILE");
      while (next < narg && extrapolation(arg[next])) continue;
    } else if (key == "deviation") {
      if (next == narg || !deviation(arg[next]))
        stop("deviation needs one of: every N, file NAME, forces first|mean");
      while (next < narg && deviation(arg[next])) continue;
    } else {
      stop("unknown keyword '" + key +
           "'; expected: precision single|double, threads N, max_force FORCE|none, scales SIGMA EPSILON, extrapolation ..., "
           "deviation ...");
    }
  }
}

/* ---------------------------------------------------------------------- pair_coeff * * FILE ELEMENT ... */

void PairDiffNNP::coeff(int narg, char **arg)
{
  const int ntypes = atom->ntypes;
  if (narg < 3 || strcmp(arg[0], "*") != 0 || strcmp(arg[1], "*") != 0)
    stop("expected: pair_coeff * * FILE ELEMENT ..., with an element or NULL for each atom type");
  if (narg != 3 + ntypes)
    stop("pair_coeff has " + std::to_string(narg - 3) + " elements for " + std::to_string(ntypes) +
         " atom types; expected one (or NULL) for each");

  path = arg[2];
  elements.assign(arg + 3, arg + narg);
  const std::string complaint = load();
  if (!complaint.empty()) stop(complaint);
  map_types();
  say_what_it_is();
  if (!restored_checksum.empty() && restored_checksum != info.checksum && comm->me == 0)
    error->warning(FLERR, prefix + path + " is another model than the one that the restart file was written with");
}

// Why the weight file cannot be read; "" where it can.
std::string PairDiffNNP::load()
{
  choose_units();
  free_model();
  warned_of_temperature = warned_of_grade = false;
  const std::string found = utils::get_potential_file_path(path);    // also looks into LAMMPS_POTENTIALS
  const std::string complaint =
      first_complaint(diffnnp_model_load(found.empty() ? path.c_str() : found.c_str(), &model));
  if (!complaint.empty()) {
    free_model();
    return complaint;
  }
  info.size = sizeof info;
  all_agree(diffnnp_model_get_info(model, &info));
  evaluators.assign(info.member_count, nullptr);
  for (int member = 0; member < info.member_count; member++)
    all_agree(diffnnp_evaluator_create_member(model, (diffnnp_precision) given.precision, member, &evaluators[member]));
  for (const auto evaluator : evaluators) all_agree(diffnnp_evaluator_set_threads(evaluator, given.threads));
  if (info.member_count == 1 && (given.deviation_every > 0 || given.mean_forces))
    return path + " has one member; for deviations, train an ensemble: diffnnp train --members 4";
  return "";
}

void PairDiffNNP::free_model()
{
  for (const auto evaluator : evaluators) diffnnp_evaluator_free(evaluator);
  diffnnp_model_free(model);
  evaluators.clear();
  model = nullptr;
}

void PairDiffNNP::choose_units()
{
  const std::string style = update->unit_style;
  const bool reduced = given.sigma > 0.0;
  if (style == "lj" && !reduced)
    stop("units are lj; say what they stand for: pair_style diffnnp scales SIGMA EPSILON, in angstrom and eV");
  if (style != "lj" && reduced) stop("units are " + style + "; scales are for units lj alone");
  if (reduced)
    units = diffnnp::reduced_units(given.sigma, given.epsilon);
  else if (!diffnnp::find_units(style, units))
    stop("units are " + style + "; expected metal, real, si, cgs, electron, micro, nano or lj");
}

void PairDiffNNP::map_types()
{
  std::vector<std::string> names;
  for (int type = 0; type < info.type_count; type++) {
    const char *name = nullptr;
    all_agree(diffnnp_model_get_type_name(model, type, &name));
    names.push_back(name);
  }
  const int ntypes = atom->ntypes;
  model_type.assign(ntypes + 1, -1);
  for (int type = 1; type <= ntypes; type++) {
    const std::string &element = elements[type - 1];
    if (element == "NULL") {
      if (force->pair == this) stop("NULL is for atom types that another style of pair_style hybrid knows");
      continue;
    }
    const auto found = std::find(names.begin(), names.end(), element);
    if (found == names.end()) {
      std::string known;
      for (const auto &name : names) known += " " + name;
      stop("element '" + element + "' is not in the model, which has:" + known);
    }
    model_type[type] = (int) (found - names.begin());
  }
  allocate();
  if (std::all_of(elements.begin(), elements.end(), [](const auto &element) { return element == "NULL"; }))
    stop("all elements of pair_coeff are NULL");
}

void PairDiffNNP::allocate()
{
  const int size = atom->ntypes + 1;
  if (!allocated) {
    memory->create(setflag, size, size, "pair:setflag");
    memory->create(cutsq, size, size, "pair:cutsq");
    allocated = 1;
  }
  for (int i = 0; i < size; i++)
    for (int j = 0; j < size; j++)
      setflag[i][j] = 1 <= i && i <= j && elements[i - 1] != "NULL" && elements[j - 1] != "NULL";
}

void PairDiffNNP::say_what_it_is()
{
  if (comm->me != 0) return;
  std::string line = prefix + path + ": types";
  for (int type = 0; type < info.type_count; type++) {
    const char *name = "";
    diffnnp_model_get_type_name(model, type, &name);
    line += std::string(" ") + name;
  }
  line += ", cutoff " + short_form(info.r_max) + " A";
  if (info.temperature > 0) line += ", trained at " + short_form(info.temperature) + " K";
  if (info.density > 0) line += ", " + short_form(info.density) + " atoms/A^3";
  if (info.member_count > 1) line += ", ensemble of " + std::to_string(info.member_count);
  if (info.cell[0] != 0) {
    line += ", cell of";
    for (int k = 0; k < 3; k++) {
      const double *row = info.cell + 3 * k;
      line += (k > 0 ? " x " : " ") + short_form(std::sqrt(row[0] * row[0] + row[1] * row[1] + row[2] * row[2]));
    }
    line += " A";
  }
  if (info.temperature > 0)
    line += "\n  A potential of mean force belongs to that state, and where the model is coarse-grained, its virial is not "
            "the pressure of the real system";
  utils::logmesg(lmp, line + "\n");
}

/* ---------------------------------------------------------------------- restart files */

namespace {
// What travels between a style and a restart file, which the first rank alone reads and writes.
class RestartFile {
 public:
  RestartFile(FILE *file, Comm *comm, Error *error, MPI_Comm world) : file(file), comm(comm), error(error), world(world)
  {
  }

  void read(void *data, size_t size)
  {
    if (comm->me == 0) utils::sfread(FLERR, data, 1, size, file, nullptr, error);
    MPI_Bcast(data, (int) size, MPI_BYTE, 0, world);
  }

  std::string read_text()
  {
    int size = 0;
    read(&size, sizeof size);
    std::string text(std::max(size, 0), ' ');
    read(&text[0], text.size());
    return text;
  }

 private:
  FILE *file;
  Comm *comm;
  Error *error;
  MPI_Comm world;
};

void write_text(FILE *file, const std::string &text)
{
  const int size = (int) text.size();
  fwrite(&size, sizeof size, 1, file);
  fwrite(text.data(), 1, text.size(), file);
}
}    // namespace

void PairDiffNNP::write_restart_settings(FILE *file)
{
  fwrite(&given, sizeof given, 1, file);
  write_text(file, grade_file);
  write_text(file, deviation_file);
}

void PairDiffNNP::read_restart_settings(FILE *file)
{
  RestartFile restart(file, comm, error, world);
  restart.read(&given, sizeof given);
  if (given.version != Settings().version)
    stop("the restart file was written by another version of this style; give pair_style again");
  grade_file = restart.read_text();
  deviation_file = restart.read_text();
}

void PairDiffNNP::write_restart(FILE *file)
{
  write_restart_settings(file);
  write_text(file, path);
  write_text(file, model ? info.checksum : restored_checksum);
  for (const auto &element : elements) write_text(file, element);
}

// A model that is missing or has changed is no reason to stop yet: a pair_coeff may follow.
void PairDiffNNP::read_restart(FILE *file)
{
  read_restart_settings(file);
  RestartFile restart(file, comm, error, world);
  path = restart.read_text();
  restored_checksum = restart.read_text();
  elements.clear();
  for (int type = 1; type <= atom->ntypes; type++) elements.push_back(restart.read_text());

  unusable = load();
  if (unusable.empty() && restored_checksum != info.checksum) {
    unusable = path + " has changed since the restart file was written";
    free_model();
  }
  if (model) {
    map_types();
    say_what_it_is();
  } else {
    allocate();
  }
}

/* ---------------------------------------------------------------------- before each run */

void PairDiffNNP::init_style()
{
  if (!model) stop(unusable.empty() ? "pair_coeff is missing" : unusable + "; give pair_coeff with the model to use");
  prepared = false;
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
  return info.r_max / units.length;
}

double PairDiffNNP::single(int, int, int, int, double, double, double, double &)
{
  error->one(FLERR, prefix + "the energy is no sum over pairs, so one pair has none of its own");
  return 0.0;
}

// For fix adapt. One scale for all: the energy of triplets or a network cannot be split between pairs of types.
void *PairDiffNNP::extract(const char *name, int &dimension)
{
  dimension = 0;
  return strcmp(name, "scale") == 0 ? &scale : nullptr;
}

// At the first step of a run, when fixes and neighbour lists are set up too.
void PairDiffNNP::prepare()
{
  prepared = true;
  absent_bits = 0;
  for (int k = 0; k < neighbor->nex_group; k++) {    // an atom excluded from all is not there: fix gcmc deletes like that
    if (neighbor->ex2_group[k] == 0) absent_bits |= neighbor->ex1_bit[k];
    if (neighbor->ex1_group[k] == 0) absent_bits |= neighbor->ex2_bit[k];
  }
  if (info.needs_exchange) require_whole_surroundings();
  // A minimiser is right to start from large forces, and a move that is only tried will be rejected.
  tries_moves = some_fix_tries_moves();
  limits_forces = update->whichflag == 1 && update->nsteps > 0 && !tries_moves;
}

// A pair term that does not see a pair leaves out the energy of that pair, as any pair style would. Triplets or a network
// that do not see a neighbour take the atom for one with other surroundings, and give wrong forces to the rest.
void PairDiffNNP::require_whole_surroundings()
{
  const auto known = [this](int type) { return model_type[type] >= 0; };
  bool excluded = neighbor->nex_mol > 0;
  for (int k = 0; k < neighbor->nex_group; k++)
    excluded = excluded || (neighbor->ex1_group[k] != 0 && neighbor->ex2_group[k] != 0);
  for (int k = 0; k < neighbor->nex_type; k++)
    excluded = excluded || (known(neighbor->ex1_type[k]) && known(neighbor->ex2_type[k]));
  if (excluded)
    stop("neigh_modify exclude hides neighbours from the model, which changes the forces on all atoms near; "
         "exclude only from group all");

  for (int k = 1; k <= 3; k++)
    if (atom->molecular && atom->nbonds > 0 && force->special_lj[k] == 0.0 && force->special_coul[k] == 0.0)
      stop("special_bonds hides bonded neighbours from the model; use special_bonds lj/coul 1 1 1");

  if (!list->ijskip) return;
  for (int i = 1; i <= atom->ntypes; i++)
    for (int j = 1; j <= atom->ntypes; j++)
      if (known(i) && known(j) && (list->iskip[i] || list->ijskip[i][j]))
        stop("another pair_coeff has taken the types " + std::to_string(i) + " and " + std::to_string(j) +
             " from the model; use pair_style hybrid/overlay to add styles");
}

bool PairDiffNNP::some_fix_tries_moves()
{
  for (int i = 0; i < modify->nfix; i++)
    for (const char *style : {"gcmc", "widom", "/swap", "sgcmc", "charge/regulation"})
      if (strstr(modify->fix[i]->style, style)) return true;
  return false;
}

// Warns once where a thermostat drives the system to another temperature than that of the training data. Not at the first
// step: thermostats set their targets after it.
void PairDiffNNP::watch_thermostats()
{
  if (warned_of_temperature || info.temperature <= 0 || update->whichflag != 1) return;
  if (update->ntimestep == update->firststep) return;
  for (int i = 0; i < modify->nfix; i++) {
    int dimension = -1;
    const auto target = static_cast<const double *>(modify->fix[i]->extract("t_target", dimension));
    if (!target || dimension != 0) continue;
    const double kelvin = *target * units.temperature;
    if (std::abs(kelvin - info.temperature) <= 0.01 * info.temperature) continue;
    warned_of_temperature = true;
    if (comm->me == 0)
      error->warning(FLERR, prefix + "fix " + modify->fix[i]->id + " aims at " + short_form(kelvin) +
                                " K, but the model was trained at " + short_form(info.temperature) +
                                " K and is a potential of mean force for that temperature");
    return;
  }
}
