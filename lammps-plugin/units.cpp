#include "units.h"

using namespace diffnnp;

static const double joule = 1.602176634e-19;    // for 1 eV
static const double boltzmann = 8.617333262e-5; // eV/K
static const double avogadro = 6.02214076e23;

bool diffnnp::find_units(const std::string &style, Units &units)
{
  static const struct {
    const char *style;
    Units units;
  } known[] = {
      {"metal", {1.0, 1.0}},
      {"real", {1.0, 23.060549}},    // kcal/mol for 1 eV, as LAMMPS has it
      {"si", {1e10, joule, 1.0, 1e3 * avogadro}},
      {"cgs", {1e8, 1e7 * joule, 1.0, avogadro}},                         // erg
      {"electron", {0.529177210903, 1.0 / 27.211386245988}},              // Bohr, Hartree
      {"micro", {1e4, 1e15 * joule, 1.0, 1e-12 * avogadro}},              // um, pg um^2/us^2
      {"nano", {10.0, 1e21 * joule, 1.0, 1e-18 * avogadro}},              // nm, ag nm^2/ns^2
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
  return {sigma, 1.0 / epsilon, epsilon / boltzmann, 0.0};
}

double diffnnp::mass_of_element(const std::string &symbol)
{
  // IUPAC's abridged standard atomic weights; where there are none, those of the longest-lived isotopes.
  static const struct {
    const char *symbol;
    double mass;
  } known[] = {
      {"H", 1.008}, {"He", 4.0026}, {"Li", 6.94}, {"Be", 9.0122}, {"B", 10.81}, {"C", 12.011}, {"N", 14.007},
      {"O", 15.999}, {"F", 18.998}, {"Ne", 20.18}, {"Na", 22.99}, {"Mg", 24.305}, {"Al", 26.982}, {"Si", 28.085},
      {"P", 30.974}, {"S", 32.06}, {"Cl", 35.45}, {"Ar", 39.95}, {"K", 39.098}, {"Ca", 40.078}, {"Sc", 44.956},
      {"Ti", 47.867}, {"V", 50.942}, {"Cr", 51.996}, {"Mn", 54.938}, {"Fe", 55.845}, {"Co", 58.933}, {"Ni", 58.693},
      {"Cu", 63.546}, {"Zn", 65.38}, {"Ga", 69.723}, {"Ge", 72.63}, {"As", 74.922}, {"Se", 78.971}, {"Br", 79.904},
      {"Kr", 83.798}, {"Rb", 85.468}, {"Sr", 87.62}, {"Y", 88.906}, {"Zr", 91.224}, {"Nb", 92.906}, {"Mo", 95.95},
      {"Tc", 97}, {"Ru", 101.07}, {"Rh", 102.91}, {"Pd", 106.42}, {"Ag", 107.87}, {"Cd", 112.41}, {"In", 114.82},
      {"Sn", 118.71}, {"Sb", 121.76}, {"Te", 127.6}, {"I", 126.9}, {"Xe", 131.29}, {"Cs", 132.91}, {"Ba", 137.33},
      {"La", 138.91}, {"Ce", 140.12}, {"Pr", 140.91}, {"Nd", 144.24}, {"Pm", 145}, {"Sm", 150.36}, {"Eu", 151.96},
      {"Gd", 157.25}, {"Tb", 158.93}, {"Dy", 162.5}, {"Ho", 164.93}, {"Er", 167.26}, {"Tm", 168.93}, {"Yb", 173.05},
      {"Lu", 174.97}, {"Hf", 178.49}, {"Ta", 180.95}, {"W", 183.84}, {"Re", 186.21}, {"Os", 190.23}, {"Ir", 192.22},
      {"Pt", 195.08}, {"Au", 196.97}, {"Hg", 200.59}, {"Tl", 204.38}, {"Pb", 207.2}, {"Bi", 208.98}, {"Th", 232.04},
      {"Pa", 231.04}, {"U", 238.03}, {"Np", 237}, {"Pu", 244},
  };
  for (const auto &entry : known)
    if (symbol == entry.symbol) return entry.mass;
  return 0.0;
}
