// `lmp-diffnnp`: the program `lmp` with pair_style diffnnp (see without_plugin.cpp).
#include "input.h"
#include "lammps.h"

#include <cstdio>
#include <cstring>
#include <exception>
#include <mpi.h>
#include <typeinfo>

using namespace LAMMPS_NS;

int main(int argc, char **argv)
{
  MPI_Init(&argc, &argv);
  try {
    auto lammps = new LAMMPS(argc, argv, MPI_COMM_WORLD);
    lammps->input->file();
    delete lammps;
  } catch (const std::exception &failure) {
    // LAMMPS has printed its own errors; their classes are in no installed header. Where only one rank failed, the
    // others wait for it and have to be ended.
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
