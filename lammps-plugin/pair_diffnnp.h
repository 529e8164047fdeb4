// pair_style diffnnp: a learned potential in LAMMPS. The style checks, translates, and calls libdiffnnp.
//
//   pair_style diffnnp [precision single|double] [threads N] [max_force F] [scales SIGMA EPSILON]
//              [extrapolation [every N] [warn GRADE|none] [stop GRADE|none] [dump GRADE FILE]]
//              [deviation [every N] [file FILE] [forces first|mean]]
//   pair_coeff * * model.safetensors Li Cl
//
// pair_diffnnp.cpp has what happens in each step; pair_setup.cpp what happens before: commands, restart files and
// checks; pair_watch.cpp the extrapolation grades and the deviations of an ensemble.
#ifndef DIFFNNP_PAIR_DIFFNNP_H
#define DIFFNNP_PAIR_DIFFNNP_H

#include "diffnnp.h"
#include "output_file.h"
#include "own_steps.h"
#include "pair.h"
#include "units.h"

#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class PairDiffNNP : public Pair, private diffnnp::OwnStepsListener {
 public:
  explicit PairDiffNNP(class LAMMPS *);
  ~PairDiffNNP() override;

  void settings(int, char **) override;
  void coeff(int, char **) override;
  void init_style() override;
  double init_one(int, int) override;
  void compute(int, int) override;

  double single(int, int, int, int, double, double, double, double &) override;
  void *extract(const char *, int &) override;

  void write_restart(FILE *) override;
  void read_restart(FILE *) override;
  void write_restart_settings(FILE *) override;
  void read_restart_settings(FILE *) override;

  int pack_forward_comm(int, int *, double *, int, int *) override;
  void unpack_forward_comm(int, int, double *) override;
  int pack_reverse_comm(int, int, double *) override;
  void unpack_reverse_comm(int, int *, double *) override;

 private:
  // The arguments of pair_style, which are written to restart files as they are.
  struct Settings {
    int version = 2;    // of what restart files hold
    int precision = DIFFNNP_SINGLE;
    int threads = 1;                         // of each rank
    double max_force = 1000.0;               // eV/A; 0: no limit
    double sigma = 0.0, epsilon = 0.0;       // A and eV of reduced units; 0: not given
    int grade_every = 50;                    // steps between extrapolation grades; 0: never
    double grade_warn = 2.0, grade_stop = 0.0, grade_dump = 0.0;    // from which grade on; 0: never
    int deviation_every = 0;                 // steps between deviations of the members; 0: never
    int mean_forces = 0;                     // 1: of all members, 0: of the first
  } given;
  std::string grade_file;        // for configurations beyond grade_dump
  std::string deviation_file;    // for deviations; "": none

  // The arguments of pair_coeff.
  std::string path;
  std::vector<std::string> elements;    // [ntypes]
  std::vector<int> model_type;          // [ntypes + 1] type in the model for each atom type; -1: NULL
  std::string restored_checksum;        // of the model that a restart file was written with; "": of none
  std::string unusable;                 // why that model cannot be used

  diffnnp_model *model = nullptr;
  std::vector<diffnnp_evaluator *> evaluators;    // one for each member
  diffnnp_model_info info{};
  diffnnp::Units units;
  double scale = 1.0;    // of the whole potential, for fix adapt

  // The state of one run.
  bool prepared = false;
  bool limits_forces = false;
  bool warned_of_grade = false, warned_of_types = false;
  int absent_bits = 0;    // of groups whose atoms are excluded from all
  struct Thermostat {
    std::string id;    // of the fix
    bool has_acted;    // so that its target is set
  };
  std::vector<Thermostat> thermostats;    // that have not been warned of
  std::vector<std::string> warned_of;     // IDs of fixes

  std::string steps_fix;           // the fix that tells which calls are the run's own steps
  bool may_be_own_step = false;    // the next call
  // What is due when the step ends, from the last call that might be the run's own step.
  struct {
    bool grades = false, deviation = false, force = false;
  } pending;
  // What is to be reported of a step, once it is certain that it was one of the run's own.
  struct {
    bigint step = -1;    // none
    std::string warning, stop, configuration, deviation;
  } found;

  std::vector<double> positions;    // [nall][3] in angstrom, where LAMMPS has another unit
  std::vector<int> types;           // [nall] type in the model of each atom
  std::vector<int> owners;          // [nall] the local atom of which each atom is an image
  double total_virial[6];
  std::vector<double> atom_energies, forces, atom_virials, centroid_virials, grades;
  double extra[2];               // for compute pair: the largest grade, and the largest deviation of a force
  bool grades_due = false, deviation_due = false;    // at this step
  bool force_is_too_large = false;    // on some rank
  std::shared_ptr<diffnnp::OutputFile> grade_output, deviation_output;
  std::vector<std::vector<double>> member_forces;    // [members][nall][3]
  std::vector<double> member_virials;                // [members][6]

  diffnnp_exchange over_ranks{};

  // The numbers that LAMMPS's communication is carrying.
  void *carried = nullptr;    // [nall][width] numbers of number_size bytes
  int width = 0;
  size_t number_size = 0;
  std::exception_ptr thrown;    // by LAMMPS within the communication, to be handed on

  std::string load();
  void free_model();
  void choose_units();
  void map_types();
  void allocate();
  void say_what_it_is();
  void reserve_communication();

  void prepare();
  void require_all_neighbours();
  void check_types();
  void find_thermostats();
  void watch_thermostats();
  void open_files();
  void require_sane_settings();

  void forces_begin() override;
  void forces_end() override;
  void step_ends() override;
  void evaluation_ends() override;
  void run_ends() override;
  void check_pending();
  void publish();

  bool is_due(int every);
  void watch_grades();
  void store_grades();
  void keep_for_deviation(size_t member, const diffnnp_results &results, bool ghosts_have_forces);
  void watch_deviation();
  std::string atoms_beyond(double limit);
  std::string configuration();
  void append(diffnnp::OutputFile *file, const std::string &name, const std::string &head, const std::string &text);
  std::vector<double> gather(const std::vector<double> &values);

  diffnnp_system describe_atoms();
  diffnnp_results wanted_results();
  void find_owners();
  template <typename Number> void forward(Number *values, int width);
  template <typename Number> void reverse(Number *values, int width);
  template <typename Number> void carry(Number *values, int width);
  template <typename Number> void add_received(int, const int *, const double *);
  size_t row_size() const { return width * number_size; }
  char *row(int atom) const { return static_cast<char *>(carried) + row_size() * atom; }
  int doubles(int rows) const;
  void take_from_ghosts(const diffnnp_results &results);
  void compute_member(size_t member, const diffnnp_system &system, const diffnnp_results &wanted, double weight);
  void add_results(const diffnnp_results &results, double weight);
  bool exceeds_limit(const diffnnp_results &results) const;
  void complain_of_force();
  double largest_allowed_force() const;
  static std::string short_form(double);
  void all_agree(diffnnp_status status);
  std::string first_complaint(diffnnp_status status);
  [[noreturn]] void stop(const std::string &reason);

  template <typename Number, void (PairDiffNNP::*communicate)(Number *, int)>
  static int exchange(void *style, Number *values, int width);
};

}    // namespace LAMMPS_NS

#endif
