// How pair style diffnnp watches a run: extrapolation grades, and deviations of the members of an ensemble.
#include "pair_diffnnp.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "update.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <utility>

using namespace LAMMPS_NS;

// Appends to a text what printf would print.
__attribute__((format(printf, 2, 3))) static void add(std::string &text, const char *format, ...)
{
  char piece[512];
  va_list values;
  va_start(values, format);
  vsnprintf(piece, sizeof piece, format, values);
  va_end(values);
  text += piece;
}

// True at the beginning of a run, for each configuration of a rerun, and every `every` steps.
bool PairDiffNNP::is_due(int every)
{
  return every > 0 && (update->setupflag || update->ntimestep % every == 0);
}

/* ---------------------------------------------------------------------- which calls are the run's own steps */

// In minimisations, a step ends when the next one begins: only then is it known which evaluation was its last.
void PairDiffNNP::forces_begin()
{
  if (found.step != update->ntimestep) publish();
  may_be_own_step = true;
}

void PairDiffNNP::forces_end()
{
  may_be_own_step = false;
}

void PairDiffNNP::step_ends()
{
  may_be_own_step = false;
  check_pending();
  publish();
  watch_thermostats();
}

void PairDiffNNP::evaluation_ends()
{
  may_be_own_step = false;
  check_pending();
}

void PairDiffNNP::run_ends()
{
  publish();
}

// Computes what is to be reported from the results of the last call, if that was due.
void PairDiffNNP::check_pending()
{
  const auto due = std::exchange(pending, {});
  if (due.force) complain_of_force();
  if (!due.grades && !due.deviation) return;
  found = {};
  found.step = update->ntimestep;
  if (due.grades) watch_grades();
  if (due.deviation) watch_deviation();
}

void PairDiffNNP::publish()
{
  const auto step = std::exchange(found, {});
  if (comm->me == 0 && !step.configuration.empty()) append(grade_output.get(), grade_file, "", step.configuration);
  if (comm->me == 0 && !step.deviation.empty()) {
    std::string head;
    add(head, "#%11s %18s %18s %18s %18s %18s %18s\n", "step", "max_devi_v", "min_devi_v", "avg_devi_v", "max_devi_f",
        "min_devi_f", "avg_devi_f");
    append(deviation_output.get(), deviation_file, head, step.deviation);
  }
  if (!step.warning.empty() && !warned_of_grade) {
    warned_of_grade = true;
    if (comm->me == 0) error->warning(FLERR, "Pair style diffnnp: " + step.warning);
  }
  if (!step.stop.empty()) stop(step.stop);
}

/* ---------------------------------------------------------------------- extrapolation grades */

void PairDiffNNP::watch_grades()
{
  store_grades();
  double largest = grades.empty() ? 0.0 : *std::max_element(grades.begin(), grades.end());
  MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, world);
  extra[0] = comm->me == 0 ? largest : 0.0;    // compute pair adds up those of all ranks

  if (given.grade_dump > 0.0 && largest > given.grade_dump) found.configuration = configuration();
  if (given.grade_warn > 0.0 && largest > given.grade_warn && !warned_of_grade)
    found.warning = atoms_beyond(given.grade_warn);
  if (given.grade_stop > 0.0 && largest > given.grade_stop) found.stop = atoms_beyond(given.grade_stop);
}

// Stores the grades in the property that the user may have defined by: fix ID all property/atom d_grade
void PairDiffNNP::store_grades()
{
  int is_double = 0, columns = 0;
  const int index = atom->find_custom("grade", is_double, columns);
  if (index < 0 || !is_double || columns > 0) return;
  double *stored = atom->dvector[index];
  for (int i = 0; i < atom->nlocal; i++)
    if (types[i] >= 0) stored[i] = grades[i];
}

// A message that names the atoms with grades beyond a limit, the largest first; the same on all ranks.
std::string PairDiffNNP::atoms_beyond(double limit)
{
  std::vector<double> found;
  for (int i = 0; i < atom->nlocal; i++)
    if (grades[i] > limit) {
      found.push_back(grades[i]);
      found.push_back(atom->tag_enable ? (double) atom->tag[i] : 0.0);
    }
  found = gather(found);

  char message[512] = "";
  if (comm->me == 0) {
    std::vector<std::pair<double, long>> atoms;
    for (size_t k = 0; k < found.size(); k += 2) atoms.emplace_back(found[k], (long) found[k + 1]);
    std::sort(atoms.rbegin(), atoms.rend());
    const size_t named = 5;
    std::string text = "surroundings outside the training data at step " + std::to_string(update->ntimestep) + ":";
    for (size_t k = 0; k < std::min(named, atoms.size()); k++) {
      if (k > 0) text += ",";
      if (atom->tag_enable) text += " atom " + std::to_string(atoms[k].second) + " has";
      text += " extrapolation grade " + short_form(atoms[k].first);
    }
    if (atoms.size() > named) text += ", and " + std::to_string(atoms.size() - named) + " more";
    snprintf(message, sizeof message, "%s", text.c_str());
  }
  MPI_Bcast(message, sizeof message, MPI_CHAR, 0, world);
  return message;
}

// The atoms of the model as extended XYZ, which diffnnp and ASE read; on the first rank.
std::string PairDiffNNP::configuration()
{
  std::vector<double> rows;    // ID, type, position, grade
  for (int i = 0; i < atom->nlocal; i++) {
    if (types[i] < 0) continue;
    rows.push_back(atom->tag_enable ? (double) atom->tag[i] : 0.0);
    rows.push_back(types[i]);
    for (int k = 0; k < 3; k++) rows.push_back(units.length * (atom->x[i][k] - domain->boxlo[k]));
    rows.push_back(grades[i]);
  }
  rows = gather(rows);
  if (comm->me != 0) return "";

  const double a = units.length, *h = domain->h;
  const int *periodic = domain->periodicity;
  const auto flag = [&](int k) { return periodic[k] ? 'T' : 'F'; };
  std::string text;
  add(text, "%zu\nLattice=\"%.10g 0 0 %.10g %.10g 0 %.10g %.10g %.10g\" ", rows.size() / 6, a * h[0], a * h[5],
      a * h[1], a * h[4], a * h[3], a * h[2]);
  add(text, "Properties=species:S:1:pos:R:3:id:I:1:grade:R:1 pbc=\"%c %c %c\" step=%s\n", flag(0), flag(1), flag(2),
      std::to_string(update->ntimestep).c_str());
  for (size_t k = 0; k < rows.size(); k += 6) {
    const char *name = "";
    diffnnp_model_get_type_name(model, (int) rows[k + 1], &name);
    add(text, "%s %.10g %.10g %.10g %.0f %.6g\n", name, rows[k + 2], rows[k + 3], rows[k + 4], rows[k], rows[k + 5]);
  }
  return text;
}

void PairDiffNNP::append(diffnnp::OutputFile *file, const std::string &name, const std::string &head,
                         const std::string &text)
{
  const std::string reason = file->append(head, text);
  if (!reason.empty()) error->one(FLERR, "Pair style diffnnp: cannot write " + name + ": " + reason);
}

// The values of all ranks, in the order of ranks, on the first.
std::vector<double> PairDiffNNP::gather(const std::vector<double> &values)
{
  const int count = (int) values.size();
  std::vector<int> counts(comm->nprocs), offsets(comm->nprocs);
  MPI_Gather(&count, 1, MPI_INT, counts.data(), 1, MPI_INT, 0, world);
  int total = 0;
  for (int rank = 0; rank < comm->nprocs; rank++) {
    offsets[rank] = total;
    total += counts[rank];
  }
  std::vector<double> all(comm->me == 0 ? total : 0);
  MPI_Gatherv(values.data(), count, MPI_DOUBLE, all.data(), counts.data(), offsets.data(), MPI_DOUBLE, 0, world);
  return all;
}

/* ---------------------------------------------------------------------- deviation of the members of an ensemble */

void PairDiffNNP::keep_for_deviation(size_t member, const diffnnp_results &results, bool ghosts_have_forces)
{
  member_forces.resize(info.member_count);
  member_virials.resize(6 * info.member_count);
  member_forces[member] = forces;
  if (ghosts_have_forces) reverse(member_forces[member].data(), 3);
  std::copy_n(results.virial, 6, &member_virials[6 * member]);
}

namespace {
// Root mean square deviation of values from their mean.
class Deviation {
 public:
  void add(double value) { sum += value, squares += value * value, count++; }
  double squared() const { return std::max(0.0, squares / count - sum / count * sum / count); }

 private:
  double sum = 0.0, squares = 0.0;
  int count = 0;
};
}    // namespace

// Prepares a line in the format of DeePMD-kit: the step, then the largest, smallest and mean deviation of the virial
// per atom, and of forces.
void PairDiffNNP::watch_deviation()
{
  double largest = 0.0, smallest = HUGE_VAL, sums[2] = {0.0, 0.0};    // of deviations, and of atoms
  for (int i = 0; i < atom->nlocal; i++) {
    if (types[i] < 0) continue;
    double squared = 0.0;
    for (int k = 0; k < 3; k++) {
      Deviation component;
      for (const auto &forces : member_forces) component.add(forces[3 * i + k]);
      squared += component.squared();
    }
    const double deviation = std::sqrt(squared);
    largest = std::max(largest, deviation);
    smallest = std::min(smallest, deviation);
    sums[0] += deviation;
    sums[1] += 1.0;
  }
  MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, world);
  MPI_Allreduce(MPI_IN_PLACE, &smallest, 1, MPI_DOUBLE, MPI_MIN, world);
  MPI_Allreduce(MPI_IN_PLACE, sums, 2, MPI_DOUBLE, MPI_SUM, world);
  MPI_Allreduce(MPI_IN_PLACE, member_virials.data(), (int) member_virials.size(), MPI_DOUBLE, MPI_SUM, world);
  const double energy_unit = std::abs(scale) * units.energy, force_unit = energy_unit * units.length;
  extra[1] = comm->me == 0 ? force_unit * largest : 0.0;
  if (comm->me != 0 || deviation_file.empty() || sums[1] == 0.0) return;

  double virial_largest = 0.0, virial_smallest = HUGE_VAL, virial_squares = 0.0;
  for (int k = 0; k < 6; k++) {
    Deviation component;
    for (size_t m = 0; m < member_forces.size(); m++) component.add(member_virials[6 * m + k] / sums[1]);
    const double deviation = std::sqrt(component.squared());
    virial_largest = std::max(virial_largest, deviation);
    virial_smallest = std::min(virial_smallest, deviation);
    virial_squares += (k < 3 ? 1 : 2) * component.squared();    // of nine components, three are twice there
  }
  add(found.deviation, "%12s %18.6e %18.6e %18.6e %18.6e %18.6e %18.6e\n", std::to_string(update->ntimestep).c_str(),
          energy_unit * virial_largest, energy_unit * virial_smallest, energy_unit * std::sqrt(virial_squares / 9.0),
          force_unit * largest, force_unit * smallest, force_unit * sums[0] / sums[1]);
}
