// LAMMPS's units against those of the library.
#ifndef DIFFNNP_UNITS_H
#define DIFFNNP_UNITS_H

#include <string>

namespace diffnnp {

struct Units {
  double length = 1.0;         // angstrom for LAMMPS's unit of length
  double energy = 1.0;         // LAMMPS's units of energy for 1 eV
  double temperature = 1.0;    // K for LAMMPS's unit of temperature
};

// The units of a `units` command but lj; false where there are none of that name.
bool find_units(const std::string &style, Units &units);

// Reduced units, with the angstrom of sigma and the eV of epsilon.
Units reduced_units(double sigma, double epsilon);

}    // namespace diffnnp

#endif
