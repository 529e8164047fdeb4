// The functions of LAMMPS that the pair style calls and that differ between versions of LAMMPS. Each of the two entry
// points (plugin.cpp, without_plugin.cpp) defines them.
#ifndef DIFFNNP_LAMMPS_HOST_H
#define DIFFNNP_LAMMPS_HOST_H

#include "lammps.h"

#include <string>

namespace LAMMPS_NS {
class Comm;
class Neighbor;
class Pair;
}    // namespace LAMMPS_NS

namespace diffnnp_host {

// Asks for a full neighbour list, rebuilt whenever LAMMPS rebuilds its lists.
void request_full_list(LAMMPS_NS::LAMMPS *lmp, LAMMPS_NS::Neighbor *neighbor, LAMMPS_NS::Pair *pair);

// Copies what the pair style packs for an owner to each of its ghosts.
void forward_comm(LAMMPS_NS::Comm *comm, LAMMPS_NS::Pair *pair);

// Adds what the pair style packs for ghosts to their owners.
void reverse_comm(LAMMPS_NS::Comm *comm, LAMMPS_NS::Pair *pair);

// The atom type that has a label; 0 where there is none.
int type_of_label(LAMMPS_NS::LAMMPS *lmp, const std::string &label);

// Stops with one line where the running LAMMPS is not the one whose headers this was compiled with.
void require_same_lammps(LAMMPS_NS::LAMMPS *lmp);

}    // namespace diffnnp_host

#endif
