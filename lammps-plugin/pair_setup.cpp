// What pair_style diffnnp does before a run: commands, restart files, and checks of the other commands of the script.
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
#include "universe.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <utility>

using namespace LAMMPS_NS;

static const std::string prefix = "Pair style diffnnp: ";

// A number as text for messages.
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
  grade_output = deviation_output = nullptr;
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
  open_files();
}

// Only the first rank writes. With partitions, files are opened at once, so that two partitions that would write the
// same file are refused now.
void PairDiffNNP::open_files()
{
  if (comm->me != 0) return;
  const auto open = [this](std::shared_ptr<diffnnp::OutputFile> &file, const std::string &name) {
    if (name.empty()) return;
    file = diffnnp::OutputFile::named(name);
    const std::string reason = universe->nworlds > 1 ? file->hold() : "";
    if (!reason.empty()) error->one(FLERR, prefix + "cannot write " + name + ": " + reason);
  };
  open(grade_output, grade_file);
  open(deviation_output, deviation_file);
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

// Loads the weight file. Returns why it cannot be used, "" where it can.
std::string PairDiffNNP::load()
{
  choose_units();
  free_model();
  warned_of_grade = warned_of_types = false;
  warned_of.clear();
  const std::string found = utils::get_potential_file_path(path);    // also looks into LAMMPS_POTENTIALS
  const std::string complaint =
      first_complaint(diffnnp_model_load(found.empty() ? path.c_str() : found.c_str(), &model));
  if (!complaint.empty()) {
    free_model();
    return complaint;
  }
  info.size = sizeof info;
  all_agree(diffnnp_model_get_info(model, &info));
  // Unknown as yet, which is not 0.
  extra[0] = comm->me == 0 && info.has_grades ? NAN : 0.0;
  extra[1] = comm->me == 0 && info.member_count > 1 ? NAN : 0.0;
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
// Reads a restart file, which only the first rank does, and sends what it read to all.
class RestartFile {
 public:
  // Longest name of a file or an element; a longer one means that the file is damaged.
  static const int longest = 1 << 16;

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
    if (size < 0 || size > longest)
      error->all(FLERR, prefix + "the restart file is damaged: a name has " + std::to_string(size) +
                     " characters; give pair_style and pair_coeff again");
    std::string text(size, ' ');
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
  require_sane_settings();
  grade_file = restart.read_text();
  deviation_file = restart.read_text();
  for (const auto &name : {grade_file, deviation_file})
    if (!name.empty()) diffnnp::OutputFile::go_on_with(name);
  open_files();
}

void PairDiffNNP::require_sane_settings()
{
  bool sane = given.precision == DIFFNNP_SINGLE || given.precision == DIFFNNP_DOUBLE;
  sane = sane && given.threads >= 1 && given.threads <= 1024 && given.grade_every >= 0 && given.deviation_every >= 0;
  for (const double number :
       {given.max_force, given.sigma, given.epsilon, given.grade_warn, given.grade_stop, given.grade_dump})
    sane = sane && number >= 0.0 && number < HUGE_VAL;
  if (!sane) stop("the restart file is damaged: settings of pair_style make no sense; give pair_style and pair_coeff again");
}

void PairDiffNNP::write_restart(FILE *file)
{
  write_restart_settings(file);
  write_text(file, path);
  write_text(file, model ? info.checksum : restored_checksum);
  for (const auto &element : elements) write_text(file, element);
}

// A model that is missing or has changed is not an error yet, because a pair_coeff may follow.
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
  if (steps_fix.empty()) steps_fix = diffnnp::FixOwnSteps::add(modify, this);
  reserve_communication();
  diffnnp_host::request_full_list(lmp, neighbor, this);
}

// LAMMPS sizes its buffers by these numbers after init_style. pair_style hybrid has read them earlier, before the model
// was known, so that its own are raised here.
void PairDiffNNP::reserve_communication()
{
  if (!info.is_many_body) return;
  const int largest_result = 9;    // centroid virials
  comm_forward = std::max(info.exchange_width, 1);
  comm_reverse = comm_reverse_off = std::max(info.exchange_width, largest_result);
  Pair *outermost = force->pair;
  outermost->comm_forward = std::max(outermost->comm_forward, comm_forward);
  outermost->comm_reverse = std::max(outermost->comm_reverse, comm_reverse);
  outermost->comm_reverse_off = std::max(outermost->comm_reverse_off, comm_reverse_off);
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

// The factor of fix adapt. There is one for all types, because the energy of triplets or a network cannot be split
// between pairs of types.
void *PairDiffNNP::extract(const char *name, int &dimension)
{
  dimension = 0;
  return strcmp(name, "scale") == 0 ? &scale : nullptr;
}

// Called at the first step of a run, when fixes and neighbour lists have been set up too.
void PairDiffNNP::prepare()
{
  prepared = true;
  absent_bits = 0;
  for (int k = 0; k < neighbor->nex_group; k++) {    // an atom excluded from all is not there: fix gcmc deletes like that
    if (neighbor->ex2_group[k] == 0) absent_bits |= neighbor->ex1_bit[k];
    if (neighbor->ex1_group[k] == 0) absent_bits |= neighbor->ex2_bit[k];
  }
  if (info.is_many_body) require_all_neighbours();
  // A minimiser is right to start from large forces.
  limits_forces = update->whichflag == 1 && update->nsteps > 0;
  pending = {};
  found = {};
  find_thermostats();
  check_types();
}

// Without a pair of atoms, a pair term only lacks the energy of that pair, as any pair style would. Triplets or a
// network without one of an atom's neighbours take the atom for one with other surroundings, and give wrong forces on
// all its neighbours.
void PairDiffNNP::require_all_neighbours()
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

  if (!list->ijskip) return;
  for (int i = 1; i <= atom->ntypes; i++)
    for (int j = 1; j <= atom->ntypes; j++)
      if (known(i) && known(j) && (list->iskip[i] || list->ijskip[i][j]))
        stop("another pair_coeff has taken the types " + std::to_string(i) + " and " + std::to_string(j) +
             " from the model; use pair_style hybrid/overlay to add styles");
}

namespace {
bool begins_with(const std::string &text, const std::string &begin)
{
  return text.compare(0, begin.size(), begin) == 0;
}

// Whether a fix has a thermostat whose target, as the fix calls it, is a temperature of the system. Others have such a
// number that is never set, such as rigid bodies without a thermostat, or that means something else.
bool has_thermostat(Fix *fix)
{
  const std::string style = fix->style;
  if (begins_with(style, "rigid")) {
    if (style.find("/nvt") != std::string::npos || style.find("/npt") != std::string::npos) return true;
    // Rigid bodies act on forces only for a Langevin thermostat.
    return style.find("/nph") == std::string::npos && (fix->setmask() & FixConst::POST_FORCE);
  }
  for (const char *begin : {"nvt", "npt", "langevin", "temp/", "gle", "bocs", "tgnvt", "tgnpt"})
    if (begins_with(style, begin)) return true;
  return false;
}
}    // namespace

void PairDiffNNP::find_thermostats()
{
  thermostats.clear();
  if (info.temperature <= 0 || update->whichflag != 1) return;
  for (int i = 0; i < modify->nfix; i++)
    if (has_thermostat(modify->fix[i]) &&
        std::find(warned_of.begin(), warned_of.end(), modify->fix[i]->id) == warned_of.end())
      thermostats.push_back({modify->fix[i]->id, false});
}

// Warns once of each thermostat whose target differs from the temperature of the training data. Thermostats set their
// targets when they first act: at the beginning of a run, or at the end of every nevery-th step.
void PairDiffNNP::watch_thermostats()
{
  for (size_t k = 0; k < thermostats.size(); k++) {
    const int index = modify->find_fix(thermostats[k].id);
    if (index < 0) continue;
    Fix *fix = modify->fix[index];
    if (!thermostats[k].has_acted) {
      const bool acts_at_end = fix->setmask() & FixConst::END_OF_STEP;
      thermostats[k].has_acted =
          !acts_at_end || (!update->setupflag && update->ntimestep % std::max(fix->nevery, 1) == 0);
      continue;    // it will have at the next step
    }
    int dimension = -1;
    const auto target = static_cast<const double *>(fix->extract("t_target", dimension));
    if (!target || dimension != 0) continue;
    const double kelvin = *target * units.temperature;
    if (std::abs(kelvin - info.temperature) <= 0.01 * info.temperature) continue;
    warned_of.push_back(fix->id);
    thermostats.erase(thermostats.begin() + (long) k--);
    if (comm->me == 0)
      error->warning(FLERR, prefix + "fix " + fix->id + " aims at " + short_form(kelvin) +
                                " K, but the model was trained at " + short_form(info.temperature) +
                                " K and is a potential of mean force for that temperature");
  }
}

// Warns where the label or mass of an atom type is that of another element of the model than pair_coeff says.
void PairDiffNNP::check_types()
{
  if (std::exchange(warned_of_types, true)) return;
  std::string odd;
  for (int type = 1; type <= atom->ntypes; type++) {
    const std::string &element = elements[type - 1];
    if (element == "NULL") continue;
    const double mass = atom->mass && atom->mass_setflag[type] ? atom->mass[type] * units.mass : 0.0;
    for (int k = 0; k < info.type_count; k++) {
      const char *name = "";
      all_agree(diffnnp_model_get_type_name(model, k, &name));
      if (element == name) continue;
      const double expected = diffnnp::mass_of_element(name), own = diffnnp::mass_of_element(element);
      const auto is_near = [mass](double other) { return std::abs(mass - other) < 0.03 * other; };
      const bool has_its_mass = mass > 0.0 && own > 0.0 && is_near(expected) && !is_near(own);
      if (diffnnp_host::type_of_label(lmp, name) == type)
        odd += "; type " + std::to_string(type) + " is " + element + ", and its label " + name;
      else if (has_its_mass)
        odd += "; type " + std::to_string(type) + " is " + element + ", and its mass " + short_form(mass) + " g/mol, that of " + name;
    }
  }
  if (!odd.empty() && comm->me == 0)
    error->warning(FLERR, prefix + "elements of pair_coeff may be in another order than atom types" + odd);
}
