// pair_style diffnnp: a learned potential in LAMMPS. The style checks, translates, and calls libdiffnnp.
//
//   pair_style diffnnp [precision single|double]
//   pair_coeff * * model.safetensors Li Cl
#ifndef DIFFNNP_PAIR_DIFFNNP_H
#define DIFFNNP_PAIR_DIFFNNP_H

#include "diffnnp.h"
#include "pair.h"

#include <exception>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class PairDiffNNP : public Pair {
 public:
  explicit PairDiffNNP(class LAMMPS *);
  ~PairDiffNNP() override;

  void settings(int, char **) override;
  void coeff(int, char **) override;
  void init_style() override;
  double init_one(int, int) override;
  void compute(int, int) override;

  double single(int, int, int, int, double, double, double, double &) override;

  int pack_forward_comm(int, int *, double *, int, int *) override;
  void unpack_forward_comm(int, int, double *) override;
  int pack_reverse_comm(int, int, double *) override;
  void unpack_reverse_comm(int, int *, double *) override;

 private:
  diffnnp_precision precision = DIFFNNP_SINGLE;
  diffnnp_model *model = nullptr;
  diffnnp_evaluator *evaluator = nullptr;
  diffnnp_model_info info{};
  double energy_unit = 1.0;     // LAMMPS's unit of energy for 1 eV
  std::vector<int> model_type;  // [ntypes + 1] type in the model for each atom type; -1: NULL
  std::vector<int> types;       // [nall] type in the model of each atom
  std::vector<int> owners;      // [nall] the local atom of which each atom is an image
  double total_virial[6];
  std::vector<double> atom_energies, forces, atom_virials, centroid_virials;

  // What LAMMPS's communication carries at the moment.
  double *carried = nullptr;    // [nall][width]
  int width = 0;
  std::exception_ptr thrown;    // by LAMMPS within the communication, to be handed on

  void load(const std::string &path);
  void free_model();
  std::vector<std::string> type_names() const;
  void map_types(const std::vector<std::string> &names, char **elements);
  void allocate();
  void reserve_communication();
  diffnnp_system describe_atoms();
  diffnnp_results wanted_results();
  void find_owners();
  void forward(double *values, int width);
  void reverse(double *values, int width);
  void take_from_ghosts(const diffnnp_results &results);
  void add_results(const diffnnp_results &results);
  void all_agree(diffnnp_status status);

  template <void (PairDiffNNP::*communicate)(double *, int)>
  static int exchange(void *style, double *values, int width);
};

}    // namespace LAMMPS_NS

#endif
