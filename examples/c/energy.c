/* Energy and forces of a small crystal: the shortest useful program with libdiffnnp. */
#include "diffnnp.h"

#include <stdio.h>
#include <stdlib.h>

static void require(diffnnp_status status) {
  if (status == DIFFNNP_OK) return;
  fprintf(stderr, "error: %s\n", diffnnp_last_error());
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s MODEL\n", argv[0]);
    return 2;
  }

  diffnnp_model *model;
  require(diffnnp_model_load(argv[1], &model));
  diffnnp_model_info info = {.size = sizeof info};
  require(diffnnp_model_get_info(model, &info));
  printf("libdiffnnp %s, %s: r_max %g A, types", diffnnp_version(), argv[1], info.r_max);
  for (int type = 0; type < info.type_count; type++) {
    const char *name;
    require(diffnnp_model_get_type_name(model, type, &name));
    printf(" %s", name);
  }
  printf("\n");

  /* Eight atoms on the corners of cubes, the types in turn, one atom off its place. */
  const double edge = 5.6;
  const double cell[9] = {2 * edge, 0, 0, 0, 2 * edge, 0, 0, 0, 2 * edge};
  double positions[8][3], forces[8][3], virial[6];
  int types[8];
  for (int i = 0; i < 8; i++) {
    const int corner[3] = {i & 1, (i >> 1) & 1, (i >> 2) & 1};
    for (int k = 0; k < 3; k++) positions[i][k] = edge * corner[k];
    types[i] = (corner[0] + corner[1] + corner[2]) % info.type_count;
  }
  positions[0][0] += 0.5;

  diffnnp_evaluator *evaluator;
  require(diffnnp_evaluator_create(model, DIFFNNP_SINGLE, &evaluator));
  const diffnnp_periodic_system system = {
      .size = sizeof system,
      .natoms = 8,
      .positions = positions[0],
      .types = types,
      .cell = cell,
      .periodic = {1, 1, 1},
  };
  diffnnp_results results = {.size = sizeof results, .forces = forces[0], .virial = virial};
  require(diffnnp_compute_periodic(evaluator, &system, &results));

  printf("energy %.6f eV\n", results.energy);
  for (int i = 0; i < 8; i++)
    printf("force on atom %d: %9.6f %9.6f %9.6f eV/A\n", i, forces[i][0], forces[i][1], forces[i][2]);
  printf("virial xx yy zz: %9.6f %9.6f %9.6f eV\n", virial[0], virial[1], virial[2]);

  require(diffnnp_evaluator_free(evaluator));
  require(diffnnp_model_free(model));
  return 0;
}
