// pair_style diffnnp: a learned potential in LAMMPS. The style checks, translates, and calls libdiffnnp.
//
//   pair_style diffnnp [precision single|double]
//   pair_coeff * * model.safetensors Li Cl
#ifndef DIFFNNP_PAIR_DIFFNNP_H
#define DIFFNNP_PAIR_DIFFNNP_H

#include "diffnnp.h"
#include "pair.h"

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

  int pack_forward_comm(int, int *, double *, int, int *) override;
  void unpack_forward_comm(int, int, double *) override;

 private:
  diffnnp_precision precision = DIFFNNP_SINGLE;
  diffnnp_model *model = nullptr;
  diffnnp_evaluator *evaluator = nullptr;
  diffnnp_model_info info{};
  double energy_unit = 1.0;     // LAMMPS's unit of energy for 1 eV
  std::vector<int> model_type;  // [ntypes + 1] type in the model for each atom type; -1: NULL
  std::vector<int> types;       // [nall] type in the model of each atom
  std::vector<int> owners;      // [nall] the local atom of which each atom is an image
  std::vector<double> atom_energies, forces, atom_virials;

  void load(const std::string &path);
  void free_model();
  std::vector<std::string> type_names() const;
  void map_types(const std::vector<std::string> &names, char **elements);
  void allocate();
  void find_owners();
  void add_results(const diffnnp_results &results);
  void all_agree(diffnnp_status status);
};

}    // namespace LAMMPS_NS

#endif
