/* A program as of version 0.1, whose header is beside it, with a later library: what it does not know of is neither read nor
 * written. Argument: a weight file. Prints "N passed, N failed". */
#include "diffnnp.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int passed, failed;
#define CHECK(condition) \
  ((condition) ? passed++ : (failed++, printf("FAILED, line %d: %s (%s)\n", __LINE__, #condition, diffnnp_last_error())))

/* A struct with bytes behind it that are not the library's business. */
#define GUARDED(type) \
  struct { \
    type own; \
    unsigned char others[64]; \
  }
#define SET_UP(guarded) \
  (memset(&(guarded), 0xAB, sizeof(guarded)), memset(&(guarded).own, 0, sizeof(guarded).own), \
   (guarded).own.size = sizeof(guarded).own)
#define IS_LEFT_ALONE(guarded) is_left_alone((guarded).others)

static int is_left_alone(const unsigned char *others) {
  for (int k = 0; k < 64; k++)
    if (others[k] != 0xAB) return 0;
  return 1;
}

static int to_ghosts(void *context, double *values, int width) { return (void)context, (void)values, (void)width, 0; }

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  diffnnp_model *model = NULL;
  diffnnp_evaluator *evaluator = NULL;
  CHECK(diffnnp_model_load(argv[1], &model) == DIFFNNP_OK);
  CHECK(diffnnp_evaluator_create(model, DIFFNNP_DOUBLE, &evaluator) == DIFFNNP_OK);

  GUARDED(diffnnp_model_info) info;
  SET_UP(info);
  CHECK(diffnnp_model_get_info(model, &info.own) == DIFFNNP_OK);
  CHECK(info.own.size == sizeof info.own && info.own.type_count > 0 && info.own.r_max > 0 && info.own.checksum);
  CHECK(IS_LEFT_ALONE(info));

  /* Two atoms, far from the walls of a cell without images, and as a list. */
  const double x[6] = {0, 0, 0, 1.5, 2, 0.5}, cell[9] = {90, 0, 0, 0, 90, 0, 0, 0, 90};
  const int types[2] = {0, info.own.type_count - 1}, ilist[2] = {0, 1}, counts[2] = {1, 1}, owners[2] = {0, 1};
  int second = 1, first = 0, *rows[2] = {&second, &first};
  double forces[2][6];
  GUARDED(diffnnp_periodic_system) periodic;
  GUARDED(diffnnp_system) system;
  GUARDED(diffnnp_results) results;
  GUARDED(diffnnp_exchange) exchange;
  SET_UP(periodic);
  periodic.own.natoms = 2;
  periodic.own.positions = x;
  periodic.own.types = types;
  periodic.own.cell = cell;
  SET_UP(results);
  results.own.forces = forces[0];
  CHECK(diffnnp_compute_periodic(evaluator, &periodic.own, &results.own) == DIFFNNP_OK);
  const double energy = results.own.energy;
  CHECK(isfinite(energy) && energy != 0 && IS_LEFT_ALONE(results) && IS_LEFT_ALONE(periodic));

  SET_UP(exchange);
  exchange.own.forward = to_ghosts;
  exchange.own.reverse = to_ghosts;
  for (int exchanging = 0; exchanging <= 1; exchanging++) {
    SET_UP(system);
    system.own.nlocal = system.own.nall = system.own.inum = 2;
    system.own.positions = x;
    system.own.types = types;
    system.own.ilist = ilist;
    system.own.numneigh = counts;
    system.own.firstneigh = rows;
    if (exchanging)
      system.own.exchange = &exchange.own;
    else
      system.own.owners = owners;
    SET_UP(results);
    results.own.forces = forces[1];
    CHECK(diffnnp_compute(evaluator, &system.own, &results.own) == DIFFNNP_OK);
    CHECK(fabs(results.own.energy - energy) < 1e-12 && results.own.size == sizeof results.own && IS_LEFT_ALONE(results));
    for (int k = 0; k < 6; k++) CHECK(fabs(forces[0][k] - forces[1][k]) < 1e-12);
  }
  CHECK(diffnnp_evaluator_free(evaluator) == DIFFNNP_OK);
  CHECK(diffnnp_model_free(model) == DIFFNNP_OK);
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
