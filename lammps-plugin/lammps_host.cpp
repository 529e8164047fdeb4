#include "lammps_host.h"

#include "error.h"
#include "library.h"

#include <cstring>
#include <mpi.h>
#include <string>

using namespace LAMMPS_NS;

#ifdef OMPI_MAJOR_VERSION
static const bool compiled_with_open_mpi = true;
#else
static const bool compiled_with_open_mpi = false;
#endif

// LAMMPS does not check this itself, and classes with another layout lead to crashes or wrong numbers. The functions
// used here belong to LAMMPS's C interface, which is the same in all versions.
void diffnnp_host::require_same_lammps(LAMMPS *lmp)
{
  std::string difference;
  const int version = lammps_version(lmp);
  if (version != DIFFNNP_LAMMPS_VERSION)
    difference = "LAMMPS version " + std::to_string(DIFFNNP_LAMMPS_VERSION) + ", this one is " +
        std::to_string(version);

  char settings[2][7] = {"tagint", "bigint"};
  const int sizes[2] = {(int) sizeof(tagint), (int) sizeof(bigint)};
  for (int i = 0; i < 2; i++) {
    const int size = lammps_extract_setting(lmp, settings[i]);
    if (size != sizes[i])
      difference = std::string(settings[i]) + " of " + std::to_string(sizes[i]) +
          " bytes, here it has " + std::to_string(size);
  }

  // As long as the longest name of any MPI: the library that answers may not be the one whose header this was compiled
  // with.
  char name[8192] = "";
  int length = 0;
  MPI_Get_library_version(name, &length);
  if ((strncmp(name, "Open MPI", 8) == 0) != compiled_with_open_mpi)
    difference = std::string(compiled_with_open_mpi ? "Open MPI" : "MPICH") + ", this LAMMPS runs on " +
        std::string(name, strcspn(name, ",\n"));

  if (!difference.empty())
    lmp->error->all(FLERR,
                    "pair_style diffnnp was compiled for " + difference +
                        "; compile it with the headers of this LAMMPS");
}
