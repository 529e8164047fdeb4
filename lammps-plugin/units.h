// Conversion between LAMMPS's units and those of the library.
#ifndef DIFFNNP_UNITS_H
#define DIFFNNP_UNITS_H

#include <string>

namespace diffnnp {

struct Units {
  double length = 1.0;         // angstrom for LAMMPS's unit of length
  double energy = 1.0;         // LAMMPS's units of energy for 1 eV
  double temperature = 1.0;    // K for LAMMPS's unit of temperature
  double mass = 1.0;           // g/mol for LAMMPS's unit of mass; 0: not known
};

// The units of a `units` command other than lj; false where there is no style of that name.
bool find_units(const std::string &style, Units &units);

// Reduced units, in which the unit of mass is not known, with the angstrom of sigma and the eV of epsilon.
Units reduced_units(double sigma, double epsilon);

// Mean mass of an element (g/mol), by its symbol; 0 where there is no such element.
double mass_of_element(const std::string &symbol);

}    // namespace diffnnp

#endif
