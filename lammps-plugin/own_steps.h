// Finds out which calls of a pair style belong to the steps of a run. LAMMPS does not say: fixes that try moves (gcmc,
// atom/swap, ...) or take differences (numdiff) call the style as the integrator does, several times a step.
//
// An internal fix can tell. Before it computes forces, an integrator or minimiser calls pre_force of all fixes, and
// afterwards pre_reverse. Fixes that try moves call pre_force, too, but earlier in the step than the integrator, and only the
// integrator finishes a step (final_integrate). So the run's own call is the last that followed a pre_force when the
// step is finished.
#ifndef DIFFNNP_OWN_STEPS_H
#define DIFFNNP_OWN_STEPS_H

#include "fix.h"
#include "modify.h"

#include <algorithm>
#include <string>

namespace diffnnp {

// What the fix tells a pair style.
class OwnStepsListener {
 public:
  virtual void forces_begin() = 0;        // the next call may be the run's own
  virtual void forces_end() = 0;          // calls from now on are others'
  virtual void step_ends() = 0;           // the last call that might be the run's own was it
  virtual void evaluation_ends() = 0;     // of a minimiser, which evaluates several times a step and keeps the last
  virtual void run_ends() = 0;

 protected:
  ~OwnStepsListener() = default;
};

class FixOwnSteps : public LAMMPS_NS::Fix {
 public:
  // Adds the fix for a pair style, which must remove it.
  static std::string add(LAMMPS_NS::Modify *modify, OwnStepsListener *listener)
  {
    static const char *const name = "DIFFNNP/STEPS";
    static int count = 0;
    const std::string id = "DIFFNNP_STEPS_" + std::to_string(++count);
    (*modify->fix_map)[name] = create;
    static_cast<FixOwnSteps *>(modify->add_fix(id + " all " + name, 0))->listener = listener;
    modify->fix_map->erase(name);
    return id;
  }

  static void remove(LAMMPS_NS::Modify *modify, const std::string &id)
  {
    if (!id.empty() && modify->find_fix(id) >= 0) modify->delete_fix(id);
  }

  int setmask() override
  {
    using namespace LAMMPS_NS::FixConst;
    return PRE_FORCE | PRE_FORCE_RESPA | MIN_PRE_FORCE | PRE_REVERSE | MIN_PRE_REVERSE | FINAL_INTEGRATE |
        FINAL_INTEGRATE_RESPA | MIN_POST_FORCE | POST_RUN;
  }

  void setup_pre_force(int) override { listener->forces_begin(); }
  void setup_pre_force_respa(int, int level) override
  {
    outermost = level == 0 ? 0 : std::max(outermost, level);
    listener->forces_begin();
  }
  void setup_pre_reverse(int, int) override { listener->forces_end(); }
  void setup(int) override { listener->step_ends(); }
  void min_setup(int) override { listener->step_ends(); }

  void pre_force(int) override { listener->forces_begin(); }
  void pre_force_respa(int, int, int) override { listener->forces_begin(); }
  void min_pre_force(int) override { listener->forces_begin(); }
  void pre_reverse(int, int) override { listener->forces_end(); }
  void min_pre_reverse(int, int) override { listener->forces_end(); }
  void final_integrate() override { listener->step_ends(); }
  void final_integrate_respa(int level, int) override
  {
    if (level == outermost) listener->step_ends();    // which comes once a step
  }
  void min_post_force(int) override { listener->evaluation_ends(); }
  void post_run() override { listener->run_ends(); }

  // Does nothing. With LAMMPS's own function, a plugin compiled for another size of IDs could not be loaded at all, and
  // so could not report that.
  void set_molecule(int, LAMMPS_NS::tagint, int, double *, double *, double *) override {}

 private:
  OwnStepsListener *listener = nullptr;
  int outermost = 0;    // level of rRESPA

  FixOwnSteps(LAMMPS_NS::LAMMPS *lmp, int narg, char **arg) : Fix(lmp, narg, arg) {}
  static LAMMPS_NS::Fix *create(LAMMPS_NS::LAMMPS *lmp, int narg, char **arg) { return new FixOwnSteps(lmp, narg, arg); }
};

}    // namespace diffnnp

#endif
