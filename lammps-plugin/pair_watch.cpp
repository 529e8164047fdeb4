// How pair style diffnnp watches a run: whether the model knows where the atoms have gone.
#include "pair_diffnnp.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "update.h"

#include <algorithm>
#include <cstdio>

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- extrapolation grades */

// At the beginning of a run, for each configuration of a rerun, and every so many steps. A move that is only tried says
// nothing about the run.
bool PairDiffNNP::grades_are_due()
{
  if (!info.has_grades || given.grade_every == 0 || tries_moves) return false;
  return update->setupflag || update->ntimestep % given.grade_every == 0;
}

void PairDiffNNP::watch_grades()
{
  store_grades();
  double largest = grades.empty() ? 0.0 : *std::max_element(grades.begin(), grades.end());
  MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_DOUBLE, MPI_MAX, world);
  extra[0] = comm->me == 0 ? largest : 0.0;    // compute pair adds up those of all ranks

  if (given.grade_dump > 0.0 && largest > given.grade_dump) dump_configuration();
  if (given.grade_warn > 0.0 && largest > given.grade_warn && !warned_of_grade) {
    warned_of_grade = true;
    const std::string atoms = atoms_beyond(given.grade_warn);
    if (comm->me == 0) error->warning(FLERR, "Pair style diffnnp: " + atoms);
  }
  if (given.grade_stop > 0.0 && largest > given.grade_stop) stop(atoms_beyond(given.grade_stop));
}

// For those who have asked for them, with: fix ID all property/atom d_grade
void PairDiffNNP::store_grades()
{
  int is_double = 0, columns = 0;
  const int index = atom->find_custom("grade", is_double, columns);
  if (index < 0 || !is_double || columns > 0) return;
  double *stored = atom->dvector[index];
  for (int i = 0; i < atom->nlocal; i++)
    if (types[i] >= 0) stored[i] = grades[i];
}

// Says which atoms have larger grades, the largest first. All ranks get the message.
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

// Appends the atoms of the model to a file that diffnnp and ASE read.
void PairDiffNNP::dump_configuration()
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
  if (comm->me != 0) return;

  FILE *file = fopen(grade_file.c_str(), grade_file_begun ? "a" : "w");
  if (!file) error->one(FLERR, "Pair style diffnnp: cannot write " + grade_file);
  grade_file_begun = true;
  const double a = units.length, *h = domain->h;
  const int *periodic = domain->periodicity;
  const auto flag = [&](int k) { return periodic[k] ? 'T' : 'F'; };
  fprintf(file, "%zu\nLattice=\"%.10g 0 0 %.10g %.10g 0 %.10g %.10g %.10g\" ", rows.size() / 6, a * h[0], a * h[5],
          a * h[1], a * h[4], a * h[3], a * h[2]);
  fprintf(file, "Properties=species:S:1:pos:R:3:id:I:1:grade:R:1 pbc=\"%c %c %c\" step=%s\n", flag(0), flag(1), flag(2),
          std::to_string(update->ntimestep).c_str());
  for (size_t k = 0; k < rows.size(); k += 6) {
    const char *name = "";
    diffnnp_model_get_type_name(model, (int) rows[k + 1], &name);
    fprintf(file, "%s %.10g %.10g %.10g %.0f %.6g\n", name, rows[k + 2], rows[k + 3], rows[k + 4], rows[k], rows[k + 5]);
  }
  if (fclose(file) != 0) error->one(FLERR, "Pair style diffnnp: cannot write " + grade_file);
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
