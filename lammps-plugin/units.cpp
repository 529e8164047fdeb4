#include "units.h"

using namespace diffnnp;

static const double joule = 1.602176634e-19;    // for 1 eV
static const double boltzmann = 8.617333262e-5; // eV/K

bool diffnnp::find_units(const std::string &style, Units &units)
{
  static const struct {
    const char *style;
    Units units;
  } known[] = {
      {"metal", {1.0, 1.0}},
      {"real", {1.0, 23.060549}},    // kcal/mol for 1 eV, as LAMMPS has it
      {"si", {1e10, joule}},
      {"cgs", {1e8, 1e7 * joule}},                                        // erg
      {"electron", {0.529177210903, 1.0 / 27.211386245988}},              // Bohr, Hartree
      {"micro", {1e4, 1e15 * joule}},                                     // um, pg um^2/us^2
      {"nano", {10.0, 1e21 * joule}},                                     // nm, ag nm^2/ns^2
  };
  for (const auto &entry : known)
    if (style == entry.style) {
      units = entry.units;
      return true;
    }
  return false;
}

Units diffnnp::reduced_units(double sigma, double epsilon)
{
  return {sigma, 1.0 / epsilon, epsilon / boltzmann};
}
