// The door for LAMMPS without the PLUGIN package, as Debian 12 has it: `lmp-diffnnp` is `lmp` with one style more.
//
// Every LAMMPS instance fills its tables of styles in Force::create_factories(). The definition here is found before
// LAMMPS's own, calls that, and adds to its table.
#include "lammps_host.h"
#include "pair_diffnnp.h"

#include "comm.h"
#include "error.h"
#include "force.h"
#include "input.h"
#include "neighbor.h"

#include <cstring>
#include <dlfcn.h>
#include <exception>
#include <mpi.h>
#include <typeinfo>

using namespace LAMMPS_NS;

static const std::string does_not_fit = "lmp-diffnnp does not fit this LAMMPS: ";

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
  // A new request of a pair style is for a half list. Where it does not look like that, the members are not where
  // they are expected to be.
  if (request->requestor != pair || request->pair != 1 || request->half != 1 || request->full != 0)
    lmp->error->all(FLERR, does_not_fit + "its NeighRequest has another layout");
  request->half = 0;
  request->full = 1;
}

void diffnnp_host::forward_comm(Comm *comm, Pair *pair)
{
  comm->forward_comm_pair(pair);
}

void diffnnp_host::reverse_comm(Comm *comm, Pair *pair)
{
  comm->reverse_comm_pair(pair);
}

int main(int argc, char **argv)
{
  MPI_Init(&argc, &argv);
  try {
    auto lammps = new LAMMPS(argc, argv, MPI_COMM_WORLD);
    lammps->input->file();
    delete lammps;
  } catch (const std::exception &failure) {
    // LAMMPS has printed its errors; their classes are in no installed header. Where one rank alone failed, the others
    // wait for it and have to be ended.
    const char *kind = typeid(failure).name();
    if (!strstr(kind, "LAMMPS")) fprintf(stderr, "ERROR: %s\n", failure.what());
    if (!strstr(kind, "LAMMPSException")) MPI_Abort(MPI_COMM_WORLD, 1);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Finalize();
    return 1;
  }
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Finalize();
  return 0;
}
