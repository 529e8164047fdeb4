// The entry point for LAMMPS without the PLUGIN package, such as Debian 12's: a program or a library that is linked
// with this before liblammps is that LAMMPS with pair_style diffnnp.
//
// Every LAMMPS instance fills its tables of styles in Force::create_factories(). The dynamic linker finds the
// definition here before LAMMPS's own; it calls that, and adds an entry to its table.
#include "lammps_host.h"
#include "pair_diffnnp.h"

#include "comm.h"
#include "error.h"
#include "force.h"
#include "neighbor.h"

#include <dlfcn.h>

using namespace LAMMPS_NS;

static const std::string does_not_fit = "pair_style diffnnp does not fit this LAMMPS: ";

static Pair *create_pair_diffnnp(LAMMPS *lmp)
{
  return new PairDiffNNP(lmp);
}

void Force::create_factories()
{
  const auto original =
      reinterpret_cast<void (*)(Force *)>(dlsym(RTLD_NEXT, "_ZN9LAMMPS_NS5Force16create_factoriesEv"));
  if (!original) error->all(FLERR, does_not_fit + "it has no Force::create_factories()");
  original(this);
  diffnnp_host::require_same_lammps(lmp);
  (*pair_map)["diffnnp"] = create_pair_diffnnp;
}

namespace {
// The leading members of LAMMPS's NeighRequest, whose header is not installed.
struct NeighRequestHead : protected Pointers {
  int index;
  void *requestor;
  int requestor_instance;
  int id;
  int pair, fix, compute, command, neigh;
  int half, full;
};
}    // namespace

void diffnnp_host::request_full_list(LAMMPS *lmp, Neighbor *neighbor, Pair *pair)
{
  const int index = neighbor->request(pair);
  auto request = reinterpret_cast<NeighRequestHead *>(neighbor->requests[index]);
  // A new request of a pair style asks for a half list. Where it does not seem to, the members are not where they are
  // expected to be.
  if (request->requestor != pair || request->pair != 1 || request->half != 1 || request->full != 0)
    lmp->error->all(FLERR, does_not_fit + "its NeighRequest has another layout");
  request->half = 0;
  request->full = 1;
}

// This LAMMPS is older than type labels.
int diffnnp_host::type_of_label(LAMMPS *, const std::string &)
{
  return 0;
}

void diffnnp_host::forward_comm(Comm *comm, Pair *pair)
{
  comm->forward_comm_pair(pair);
}

void diffnnp_host::reverse_comm(Comm *comm, Pair *pair)
{
  comm->reverse_comm_pair(pair);
}
