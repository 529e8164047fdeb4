// The entry point for LAMMPS with the PLUGIN package: `plugin load diffnnpplugin.so`, or its folder in
// LAMMPS_PLUGIN_PATH.
#include "lammps_host.h"
#include "pair_diffnnp.h"

#include "atom.h"
#include "comm.h"
#include "input.h"
#include "neighbor.h"
#include "variable.h"

using namespace LAMMPS_NS;

void diffnnp_host::request_full_list(LAMMPS *, Neighbor *neighbor, Pair *pair)
{
  neighbor->add_request(pair, NeighConst::REQ_FULL);
}

int diffnnp_host::type_of_label(LAMMPS *lmp, const std::string &label)
{
  if (!lmp->atom->labelmapflag) return 0;
  Variable *variable = lmp->input->variable;    // the class of the labels is in no installed header
  if (variable->compute_equal("is_typelabel(atom," + label + ")") != 1.0) return 0;
  return (int) variable->compute_equal("label2type(atom," + label + ")");
}

void diffnnp_host::forward_comm(Comm *comm, Pair *pair)
{
  comm->forward_comm(pair);
}

void diffnnp_host::reverse_comm(Comm *comm, Pair *pair)
{
  comm->reverse_comm(pair);
}

// Declared as in LAMMPS's lammpsplugin.h, which is not installed.
struct lammpsplugin_t {
  const char *version;
  const char *style;
  const char *name;
  const char *info;
  const char *author;
  void *(*creator)(void *);
  void *handle;
};

static void *create_pair_diffnnp(void *lmp)
{
  return static_cast<Pair *>(new PairDiffNNP(static_cast<LAMMPS *>(lmp)));
}

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void *lmp, void *handle,
                                                                         void *register_plugin)
{
  diffnnp_host::require_same_lammps(static_cast<LAMMPS *>(lmp));
  static const std::string info = std::string("pair style diffnnp ") + diffnnp_version();
  lammpsplugin_t plugin{};
  plugin.version = static_cast<LAMMPS *>(lmp)->version;
  plugin.style = "pair";
  plugin.name = "diffnnp";
  plugin.info = info.c_str();
  plugin.author = "the diffnnp authors";
  plugin.creator = create_pair_diffnnp;
  plugin.handle = handle;
  reinterpret_cast<void (*)(lammpsplugin_t *, void *)>(register_plugin)(&plugin, lmp);
}
