/* The C ABI, used and misused. Arguments: a weight file, a damaged one, one without extrapolation grades, and an
 * ensemble of three. Prints "N passed, N failed". */
#include "diffnnp.h"

#include <math.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int passed, failed;

static void check(int good, const char *what, int line) {
  if (good) {
    passed++;
  } else {
    failed++;
    printf("FAILED, line %d: %s (last error: %s)\n", line, what, diffnnp_last_error());
  }
}
#define CHECK(condition) check((condition) != 0, #condition, __LINE__)

/* The call returns the status, with a message that mentions `words`. */
static void check_refusal(diffnnp_status got, diffnnp_status expected, const char *words, const char *what, int line) {
  const int good = got == expected && strstr(diffnnp_last_error(), words) != NULL;
  if (!good) printf("status %d, expected %d, message to mention: %s\n", got, expected, words);
  check(good, what, line);
}
#define REFUSED(call, status, words) check_refusal(call, status, words, #call, __LINE__)

/* --------------------------------------------------------------------------------- counting allocations --- */

/* Tools that watch memory or threads have an allocator of their own: with NO_COUNTING, it is left alone. */
static volatile long allocations;
#ifndef NO_COUNTING
static volatile long memory_left = -1; /* so many more pieces of what grows with a system can be had; -1: any number */

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

void *malloc(size_t size) {
  __sync_fetch_and_add(&allocations, 1);
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  __sync_fetch_and_add(&allocations, 1);
  return __libc_calloc(count, size);
}
void *realloc(void *old, size_t size) {
  __sync_fetch_and_add(&allocations, 1);
  return __libc_realloc(old, size);
}
int posix_memalign(void **result, size_t alignment, size_t size) {
  __sync_fetch_and_add(&allocations, 1);
  if (alignment >= 64) { /* not Swift's own objects, which are small */
    if (memory_left == 0) return 12;
    if (memory_left > 0) memory_left--;
  }
  *result = __libc_memalign(alignment, size);
  return *result ? 0 : 12;
}
void *aligned_alloc(size_t alignment, size_t size) {
  __sync_fetch_and_add(&allocations, 1);
  return __libc_memalign(alignment, size);
}
#endif

/* -------------------------------------------------------------------------------------------- a system --- */

enum { N = 14, MOST_ATOMS = 20000 };

/* A triclinic cell smaller than twice the cutoff, with N atoms that keep some distance. */
static double cell[9] = {9.1, 0, 0, 1.3, 8.7, 0, -0.9, 1.1, 9.4};
static double positions[3 * N];
static int types[N];

static double uniform(void) {
  static unsigned long long state = 88172645463325252ull;
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (double)(state >> 11) / 9007199254740992.0;
}

/* Squared distance of i to the nearest image of x. */
static double nearest(const double *x, int i) {
  double best = 1e30;
  for (int a = -1; a <= 1; a++)
    for (int b = -1; b <= 1; b++)
      for (int c = -1; c <= 1; c++) {
        double sum = 0;
        for (int k = 0; k < 3; k++) {
          const double d = positions[3 * i + k] - x[k] + a * cell[k] + b * cell[3 + k] + c * cell[6 + k];
          sum += d * d;
        }
        best = sum < best ? sum : best;
      }
  return best;
}

static void make_system(int type_count) {
  for (int i = 0; i < N;) {
    const double s[3] = {uniform(), uniform(), uniform()};
    double *x = positions + 3 * i;
    for (int k = 0; k < 3; k++) x[k] = s[0] * cell[k] + s[1] * cell[3 + k] + s[2] * cell[6 + k];
    int far = 1;
    for (int j = 0; j < i; j++) far = far && nearest(x, j) > 2.3 * 2.3;
    if (far) types[i] = i % type_count, i++;
  }
}

static diffnnp_periodic_system periodic_system(void) {
  diffnnp_periodic_system system = {0};
  system.size = sizeof system;
  system.natoms = N;
  system.positions = positions;
  system.types = types;
  system.cell = cell;
  for (int k = 0; k < 3; k++) system.periodic[k] = 1;
  return system;
}

/* The same system as a LAMMPS-style list: images within r_max of an atom become ghosts. */
typedef struct {
  double x[3 * MOST_ATOMS];
  int types[MOST_ATOMS], owners[MOST_ATOMS], ilist[N], numneigh[N], *firstneigh[N];
  int nall;
} list_data;

static const int bond_bits = 0x40000000; /* beyond the mask, as LAMMPS sets for bonded atoms */

static list_data *make_list(double r_max) {
  list_data *list = calloc(1, sizeof *list);
  const int reach = (int)(r_max / 7) + 1;
  memcpy(list->x, positions, sizeof positions);
  for (int i = 0; i < N; i++) list->types[i] = types[i], list->owners[i] = i;
  list->nall = N;
  for (int a = -reach; a <= reach; a++)
    for (int b = -reach; b <= reach; b++)
      for (int c = -reach; c <= reach; c++)
        for (int i = 0; i < N && (a || b || c); i++) {
          const int g = list->nall++;
          for (int k = 0; k < 3; k++)
            list->x[3 * g + k] = positions[3 * i + k] + a * cell[k] + b * cell[3 + k] + c * cell[6 + k];
          list->types[g] = types[i];
          list->owners[g] = i;
        }
  for (int i = 0; i < N; i++) {
    list->ilist[i] = N - 1 - i;
    list->firstneigh[i] = malloc(sizeof(int) * (size_t)list->nall);
    for (int j = 0; j < list->nall; j++) {
      double sum = 0;
      for (int k = 0; k < 3; k++) sum += pow(list->x[3 * j + k] - list->x[3 * i + k], 2);
      if (j != i && sum < pow(r_max + 1, 2)) list->firstneigh[i][list->numneigh[i]++] = j % 3 ? j : j | bond_bits;
    }
  }
  return list;
}

static void free_list(list_data *list) {
  for (int i = 0; i < N; i++) free(list->firstneigh[i]);
  free(list);
}

static diffnnp_system system_of(const list_data *list, int with_owners) {
  diffnnp_system system = {0};
  system.size = sizeof system;
  system.nlocal = N;
  system.nall = list->nall;
  system.positions = list->x;
  system.types = list->types;
  system.inum = N;
  system.ilist = list->ilist;
  system.numneigh = list->numneigh;
  system.firstneigh = list->firstneigh;
  system.neighbour_mask = 0x3FFFFFFF;
  system.owners = with_owners ? list->owners : NULL;
  return system;
}

/* Results with all that can be wanted. */
typedef struct {
  diffnnp_results results;
  double atom_energies[N], forces[3 * MOST_ATOMS], virial[6], atom_virials[6 * MOST_ATOMS];
  double centroid_virials[9 * MOST_ATOMS], atom_grades[N];
} all_results;

static all_results *new_results(void) {
  all_results *all = calloc(1, sizeof *all);
  memset(all->forces, 0x7F, sizeof all->forces);
  memset(all->atom_virials, 0x7F, sizeof all->atom_virials);
  memset(all->centroid_virials, 0x7F, sizeof all->centroid_virials);
  all->results.size = sizeof all->results;
  all->results.atom_energies = all->atom_energies;
  all->results.forces = all->forces;
  all->results.virial = all->virial;
  all->results.atom_virials = all->atom_virials;
  all->results.centroid_virials = all->centroid_virials;
  all->results.atom_grades = all->atom_grades;
  return all;
}

static int close_to(const double *a, const double *b, int count, double tolerance) {
  for (int k = 0; k < count; k++)
    if (!(fabs(a[k] - b[k]) <= tolerance)) {
      printf("element %d: %.17g and %.17g\n", k, a[k], b[k]);
      return 0;
    }
  return 1;
}

static double energy(diffnnp_evaluator *evaluator) {
  const diffnnp_periodic_system system = periodic_system();
  diffnnp_results results = {0};
  results.size = sizeof results;
  CHECK(diffnnp_compute_periodic(evaluator, &system, &results) == DIFFNNP_OK);
  return results.energy;
}

/* --------------------------------------------------------------------------------------------- the tests --- */

static void test_library(void) {
  CHECK(strlen(diffnnp_version()) >= 5);
  CHECK(strcmp(diffnnp_last_error(), "") == 0);
}

static void test_loading(const char *path, const char *damaged) {
  diffnnp_model *model = (diffnnp_model *)&model;
  REFUSED(diffnnp_model_load("no/such/file", &model), DIFFNNP_ERROR_FILE, "no/such/file");
  CHECK(model == NULL);
  REFUSED(diffnnp_model_load(damaged, &model), DIFFNNP_ERROR_FILE, damaged);
  REFUSED(diffnnp_model_load("/", &model), DIFFNNP_ERROR_FILE, "/");
  REFUSED(diffnnp_model_load("", &model), DIFFNNP_ERROR_FILE, "");
  REFUSED(diffnnp_model_load(NULL, &model), DIFFNNP_ERROR_ARGUMENT, "path is NULL");
  REFUSED(diffnnp_model_load(path, NULL), DIFFNNP_ERROR_ARGUMENT, "model is NULL");
  CHECK(diffnnp_model_free(NULL) == DIFFNNP_OK);
  CHECK(diffnnp_evaluator_free(NULL) == DIFFNNP_OK);
}

static void test_handles(const char *path) {
  diffnnp_model *model, *freed;
  diffnnp_evaluator *evaluator, *none;
  diffnnp_model_info info = {0};
  const char *name;
  const diffnnp_periodic_system system = periodic_system();
  diffnnp_results results = {0};
  info.size = sizeof info;
  results.size = sizeof results;
  CHECK(diffnnp_model_load(path, &model) == DIFFNNP_OK);
  CHECK(diffnnp_model_load(path, &freed) == DIFFNNP_OK);
  CHECK(model != freed);
  CHECK(diffnnp_model_free(freed) == DIFFNNP_OK);
  CHECK(diffnnp_evaluator_create(model, DIFFNNP_DOUBLE, &evaluator) == DIFFNNP_OK);

  int stranger = 0;
  diffnnp_model *const bad_models[] = {NULL, freed, (diffnnp_model *)evaluator, (diffnnp_model *)&stranger,
                                       (diffnnp_model *)1};
  for (size_t k = 0; k < sizeof bad_models / sizeof *bad_models; k++) {
    REFUSED(diffnnp_model_get_info(bad_models[k], &info), DIFFNNP_ERROR_HANDLE, "model");
    REFUSED(diffnnp_model_get_type_name(bad_models[k], 0, &name), DIFFNNP_ERROR_HANDLE, "model");
    REFUSED(diffnnp_evaluator_create(bad_models[k], DIFFNNP_SINGLE, &none), DIFFNNP_ERROR_HANDLE, "model");
    CHECK(none == NULL);
    if (k > 0) REFUSED(diffnnp_model_free(bad_models[k]), DIFFNNP_ERROR_HANDLE, "model");
  }
  diffnnp_evaluator *const bad_evaluators[] = {NULL, (diffnnp_evaluator *)model, (diffnnp_evaluator *)&stranger};
  for (size_t k = 0; k < sizeof bad_evaluators / sizeof *bad_evaluators; k++) {
    REFUSED(diffnnp_compute_periodic(bad_evaluators[k], &system, &results), DIFFNNP_ERROR_HANDLE, "evaluator");
    if (k > 0) REFUSED(diffnnp_evaluator_free(bad_evaluators[k]), DIFFNNP_ERROR_HANDLE, "evaluator");
  }

  CHECK(diffnnp_model_get_info(model, &info) == DIFFNNP_OK);
  CHECK(info.type_count > 0 && info.r_max > 0 && info.has_grades == 1 && info.member_count == 1);
  CHECK(strncmp(info.checksum, "fnv1a64:", 8) == 0);
  CHECK(info.temperature == 300 && info.cell[0] == 25 && info.cell[1] == 0 && info.cell[8] == 25);
  CHECK(fabs(info.density - 0.003 * info.type_count) < 1e-12);
  REFUSED(diffnnp_model_get_info(model, NULL), DIFFNNP_ERROR_ARGUMENT, "info is NULL");
  info.size = 0;
  REFUSED(diffnnp_model_get_info(model, &info), DIFFNNP_ERROR_ARGUMENT, "size of diffnnp_model_info is 0");
  CHECK(diffnnp_model_get_type_name(model, 0, &name) == DIFFNNP_OK && strlen(name) > 0);
  REFUSED(diffnnp_model_get_type_name(model, -1, &name), DIFFNNP_ERROR_ARGUMENT, "type is -1");
  REFUSED(diffnnp_model_get_type_name(model, info.type_count, &name), DIFFNNP_ERROR_ARGUMENT, "type is");
  REFUSED(diffnnp_model_get_type_name(model, 0, NULL), DIFFNNP_ERROR_ARGUMENT, "name is NULL");
  REFUSED(diffnnp_evaluator_create(model, (diffnnp_precision)7, &none), DIFFNNP_ERROR_ARGUMENT, "precision");
  REFUSED(diffnnp_evaluator_create(model, DIFFNNP_SINGLE, NULL), DIFFNNP_ERROR_ARGUMENT, "evaluator is NULL");

  /* An evaluator outlives the model it was made from. */
  CHECK(diffnnp_model_free(model) == DIFFNNP_OK);
  REFUSED(diffnnp_model_free(model), DIFFNNP_ERROR_HANDLE, "model");
  CHECK(isfinite(energy(evaluator)));
  CHECK(diffnnp_evaluator_free(evaluator) == DIFFNNP_OK);
  REFUSED(diffnnp_evaluator_free(evaluator), DIFFNNP_ERROR_HANDLE, "evaluator");
  REFUSED(diffnnp_compute_periodic(evaluator, &system, &results), DIFFNNP_ERROR_HANDLE, "evaluator");
}

static void test_periodic_arguments(diffnnp_evaluator *evaluator, int type_count) {
  const diffnnp_periodic_system good = periodic_system();
  diffnnp_periodic_system system = good;
  diffnnp_results results = {0};
  double other_positions[3 * N], other_cell[9];
  int other_types[N];
  results.size = sizeof results;

#define TRY(change, status, words) \
  system = good;                   \
  change;                          \
  REFUSED(diffnnp_compute_periodic(evaluator, &system, &results), status, words)
  REFUSED(diffnnp_compute_periodic(evaluator, NULL, &results), DIFFNNP_ERROR_ARGUMENT, "system is NULL");
  REFUSED(diffnnp_compute_periodic(evaluator, &good, NULL), DIFFNNP_ERROR_ARGUMENT, "results is NULL");
  TRY(system.size = 8, DIFFNNP_ERROR_ARGUMENT, "size of diffnnp_periodic_system is 8");
  TRY(system.natoms = -1, DIFFNNP_ERROR_ARGUMENT, "natoms is -1");
  TRY(system.positions = NULL, DIFFNNP_ERROR_ARGUMENT, "positions is NULL");
  TRY(system.types = NULL, DIFFNNP_ERROR_ARGUMENT, "types is NULL");
  TRY(system.cell = NULL, DIFFNNP_ERROR_ARGUMENT, "cell is NULL");
  TRY(system.periodic[1] = 2, DIFFNNP_ERROR_ARGUMENT, "periodic has 2");
  results.size = 1;
  TRY((void)0, DIFFNNP_ERROR_ARGUMENT, "size of diffnnp_results is 1");
  results.size = sizeof results;

  memcpy(other_types, types, sizeof types);
  other_types[3] = type_count;
  TRY(system.types = other_types, DIFFNNP_ERROR_SYSTEM, "type of atom 3");
  other_types[3] = -1;
  TRY(system.types = other_types, DIFFNNP_ERROR_SYSTEM, "type of atom 3");

  const double bad[] = {NAN, INFINITY, -INFINITY, 1e300};
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
    memcpy(other_positions, positions, sizeof positions);
    other_positions[5] = bad[k];
    TRY(system.positions = other_positions, DIFFNNP_ERROR_SYSTEM, "position of atom 1 is");
  }
  memcpy(other_positions, positions, sizeof positions);
  for (int k = 0; k < 3; k++) other_positions[3 + k] = other_positions[k];
  TRY(system.positions = other_positions, DIFFNNP_ERROR_SYSTEM, "atoms 1 and 0 are in one place");

  memset(other_cell, 0, sizeof other_cell);
  TRY(system.cell = other_cell, DIFFNNP_ERROR_SYSTEM, "degenerate cell");
  memcpy(other_cell, cell, sizeof cell);
  other_cell[4] = NAN;
  TRY(system.cell = other_cell, DIFFNNP_ERROR_SYSTEM, "cell");
  for (int k = 0; k < 9; k++) other_cell[k] = cell[k] * 1e-3;
  TRY(system.cell = other_cell, DIFFNNP_ERROR_SYSTEM, "too small");
#undef TRY

  /* Nothing is needed for no atoms but a cell. */
  system = good;
  system.natoms = 0;
  system.positions = NULL;
  system.types = NULL;
  CHECK(diffnnp_compute_periodic(evaluator, &system, &results) == DIFFNNP_OK && results.energy == 0);
}

static void test_list_arguments(diffnnp_evaluator *evaluator, const list_data *list, const diffnnp_model_info *info) {
  const diffnnp_system good = system_of(list, 1);
  diffnnp_system system = good;
  diffnnp_results results = {0};
  list_data *other = malloc(sizeof *other);
  int row[MOST_ATOMS];
  int32_t narrow[MOST_ATOMS];
  int64_t wide[MOST_ATOMS];
  const int nall = list->nall;
  results.size = sizeof results;

#define TRY(change, status, words)                  \
  memcpy(other, list, sizeof *other);               \
  system = system_of(other, 1);                     \
  memcpy(row, other->firstneigh[2], sizeof(int) * (size_t)other->numneigh[2]); \
  other->firstneigh[2] = row;                       \
  change;                                           \
  REFUSED(diffnnp_compute(evaluator, &system, &results), status, words)
  REFUSED(diffnnp_compute(evaluator, NULL, &results), DIFFNNP_ERROR_ARGUMENT, "system is NULL");
  REFUSED(diffnnp_compute(evaluator, &good, NULL), DIFFNNP_ERROR_ARGUMENT, "results is NULL");
  REFUSED(diffnnp_compute(NULL, &good, &results), DIFFNNP_ERROR_HANDLE, "evaluator is NULL");
  TRY(system.size = 0, DIFFNNP_ERROR_ARGUMENT, "size of diffnnp_system is 0");
  TRY(system.size += 8, DIFFNNP_ERROR_ARGUMENT, "size of diffnnp_system");
  TRY(system.nlocal = -5, DIFFNNP_ERROR_ARGUMENT, "nlocal is -5");
  TRY(system.nall = -1, DIFFNNP_ERROR_ARGUMENT, "nall is -1");
  TRY(system.inum = -1, DIFFNNP_ERROR_ARGUMENT, "inum is -1");
  TRY(system.inum = N + 1, DIFFNNP_ERROR_ARGUMENT, "inum <= nlocal");
  TRY(system.nall = N - 1, DIFFNNP_ERROR_ARGUMENT, "nlocal <= nall");
  TRY(system.positions = NULL, DIFFNNP_ERROR_ARGUMENT, "positions is NULL");
  TRY(system.types = NULL, DIFFNNP_ERROR_ARGUMENT, "types is NULL");
  TRY(system.ilist = NULL, DIFFNNP_ERROR_ARGUMENT, "ilist is NULL");
  TRY(system.numneigh = NULL, DIFFNNP_ERROR_ARGUMENT, "numneigh is NULL");
  TRY(system.firstneigh = NULL, DIFFNNP_ERROR_ARGUMENT, "firstneigh is NULL");
  TRY(other->ilist[1] = N, DIFFNNP_ERROR_SYSTEM, "ilist[1]");
  TRY(other->ilist[1] = -1, DIFFNNP_ERROR_SYSTEM, "ilist[1]");
  TRY(other->numneigh[2] = -1, DIFFNNP_ERROR_SYSTEM, "atom 2 has -1 neighbours");
  TRY(other->numneigh[2] = 0x7FFFFFFF, DIFFNNP_ERROR_SYSTEM, "atom 2 has 2147483647 neighbours");
  TRY(other->firstneigh[2] = NULL, DIFFNNP_ERROR_SYSTEM, "atom 2 has");
  TRY(row[4] = nall, DIFFNNP_ERROR_SYSTEM, "atom 2 has neighbour");
  TRY(system.neighbour_mask = 0, DIFFNNP_ERROR_SYSTEM, "has neighbour");
  TRY((row[4] = -3, system.neighbour_mask = ~bond_bits), DIFFNNP_ERROR_SYSTEM, "has neighbour");
  TRY(row[4] = 2, DIFFNNP_ERROR_SYSTEM, "atoms 2 and 2 are in one place");
  for (int i = 0; i < nall; i++) narrow[i] = 1000 + i, wide[i] = 10000000000 + i;
  TRY((row[4] = 2, system.ids = narrow, system.id_size = 4), DIFFNNP_ERROR_SYSTEM, "atoms 1002 and 1002 are in one place");
  TRY((row[4] = 2, system.ids = wide, system.id_size = 8), DIFFNNP_ERROR_SYSTEM, "atoms 10000000002 and 10000000002 are");
  TRY((other->x[4] = NAN, system.ids = narrow, system.id_size = 4), DIFFNNP_ERROR_SYSTEM, "position of atom 1001 is");
  TRY((system.ids = narrow, system.id_size = 2), DIFFNNP_ERROR_ARGUMENT, "id_size is 2; expected 4 or 8");
  TRY(other->types[N] = info->type_count, DIFFNNP_ERROR_SYSTEM, "type of atom 14");
  TRY(other->types[N] = -2, DIFFNNP_ERROR_SYSTEM, "type of atom 14");
  TRY(other->x[3 * (nall - 1)] = NAN, DIFFNNP_ERROR_SYSTEM, "is not finite");
  TRY(other->x[4] = INFINITY, DIFFNNP_ERROR_SYSTEM, "position of atom 1 is not finite");
  TRY(other->owners[N] = N, DIFFNNP_ERROR_SYSTEM, "owner of atom 14");
  TRY(other->owners[N] = -1, DIFFNNP_ERROR_SYSTEM, "owner of atom 14");
  TRY(other->owners[0] = 1, DIFFNNP_ERROR_SYSTEM, "owner of atom 0");
  diffnnp_exchange exchange = {0};
  TRY(system.exchange = &exchange, DIFFNNP_ERROR_ARGUMENT, "size of diffnnp_exchange is 0");
  exchange.size = sizeof exchange;
  TRY(system.exchange = &exchange, DIFFNNP_ERROR_ARGUMENT, "forward of exchange is NULL");
  exchange.forward = (int (*)(void *, double *, int))abort;
  TRY(system.exchange = &exchange, DIFFNNP_ERROR_ARGUMENT, "reverse of exchange is NULL");
  exchange.reverse = exchange.forward;
  exchange.forward_single = (int (*)(void *, float *, int))abort;
  TRY(system.exchange = &exchange, DIFFNNP_ERROR_ARGUMENT, "of forward_single and reverse_single of exchange one is NULL");
  exchange.reverse_single = exchange.forward_single;
  exchange.forward_single = NULL;
  TRY(system.exchange = &exchange, DIFFNNP_ERROR_ARGUMENT, "of forward_single and reverse_single of exchange one is NULL");
  exchange.reverse_single = NULL;
  TRY(system.exchange = &exchange, DIFFNNP_ERROR_ARGUMENT, "both owners and exchange");
#undef TRY
  if (info->is_many_body) {
    system = system_of(list, 0);
    REFUSED(diffnnp_compute(evaluator, &system, &results), DIFFNNP_ERROR_UNSUPPORTED, "several domains");
  }
  free(other);

  /* Nothing at all is fine: a domain may be empty. */
  memset(&system, 0, sizeof system);
  system.size = sizeof system;
  system.owners = list->owners;
  CHECK(diffnnp_compute(evaluator, &system, &results) == DIFFNNP_OK && results.energy == 0);
}

/* ---------------------------------------------------------------------------------------------- exchange --- */

/* One domain whose ghosts are images of its own atoms: what they need travels through `exchange`. */
typedef struct {
  const list_data *list;
  int forwards, reverses, widest, fails_at;
  int singles; /* calls in single precision, among the others */
} exchange_data;

static int note_call(exchange_data *data, int *count, int width) {
  ++*count;
  data->widest = width > data->widest ? width : data->widest;
  return data->forwards + data->reverses == data->fails_at;
}

static int to_ghosts(void *context, double *values, int width) {
  exchange_data *data = context;
  for (int i = N; i < data->list->nall; i++)
    memcpy(values + i * width, values + data->list->owners[i] * width, sizeof(double) * (size_t)width);
  return note_call(data, &data->forwards, width);
}

static void add_ghosts(const list_data *list, double *values, int width) {
  for (int i = N; i < list->nall; i++)
    for (int k = 0; k < width; k++) values[list->owners[i] * width + k] += values[i * width + k];
}

static int from_ghosts(void *context, double *values, int width) {
  exchange_data *data = context;
  add_ghosts(data->list, values, width);
  return note_call(data, &data->reverses, width);
}

static int singles_to_ghosts(void *context, float *values, int width) {
  exchange_data *data = context;
  for (int i = N; i < data->list->nall; i++)
    memcpy(values + i * width, values + data->list->owners[i] * width, sizeof(float) * (size_t)width);
  data->singles++;
  return note_call(data, &data->forwards, width);
}

static int singles_from_ghosts(void *context, float *values, int width) {
  exchange_data *data = context;
  for (int i = N; i < data->list->nall; i++)
    for (int k = 0; k < width; k++) values[data->list->owners[i] * width + k] += values[i * width + k];
  data->singles++;
  return note_call(data, &data->reverses, width);
}

static diffnnp_exchange exchange_with(exchange_data *data) {
  diffnnp_exchange exchange = {0};
  exchange.size = sizeof exchange;
  exchange.context = data;
  exchange.forward = to_ghosts;
  exchange.reverse = from_ghosts;
  exchange.forward_single = singles_to_ghosts;
  exchange.reverse_single = singles_from_ghosts;
  return exchange;
}

/* Computes through `exchange`, and takes forces and virials of ghosts to their owners. */
static all_results *exchanged_by(
    diffnnp_evaluator *evaluator, const list_data *list, const diffnnp_exchange exchange) {
  all_results *all = new_results();
  diffnnp_system system = system_of(list, 0);
  system.exchange = &exchange;
  CHECK(diffnnp_compute(evaluator, &system, &all->results) == DIFFNNP_OK);
  add_ghosts(list, all->forces, 3);
  add_ghosts(list, all->atom_virials, 6);
  add_ghosts(list, all->centroid_virials, 9);
  return all;
}

static all_results *exchanged(diffnnp_evaluator *evaluator, const list_data *list, exchange_data *data) {
  return exchanged_by(evaluator, list, exchange_with(data));
}

static void check_within(double tolerance, const all_results *a, const all_results *b) {
  CHECK(fabs(a->results.energy - b->results.energy) < tolerance);
  CHECK(close_to(a->atom_energies, b->atom_energies, N, tolerance));
  CHECK(close_to(a->forces, b->forces, 3 * N, tolerance));
  CHECK(close_to(a->virial, b->virial, 6, 10 * tolerance));
  CHECK(close_to(a->atom_virials, b->atom_virials, 6 * N, 10 * tolerance));
  CHECK(close_to(a->centroid_virials, b->centroid_virials, 9 * N, 10 * tolerance));
  CHECK(close_to(a->atom_grades, b->atom_grades, N, tolerance));
}

static void check_same(const all_results *a, const all_results *b) { check_within(1e-9, a, b); }

/* A copy in which some atoms have no part in the model. */
static list_data *without_some(const list_data *list) {
  list_data *fewer = malloc(sizeof *fewer);
  memcpy(fewer, list, sizeof *list);
  for (int i = 0; i < list->nall; i++)
    if (list->owners[i] == 0 || list->owners[i] == 7) fewer->types[i] = -1;
  return fewer;
}

static void test_exchange(diffnnp_evaluator *evaluator, const list_data *list, const diffnnp_model_info *info) {
  const diffnnp_periodic_system periodic = periodic_system();
  const diffnnp_system whole = system_of(list, 1);
  exchange_data data = {list, 0, 0, 0, -1, 0};
  all_results *own = new_results(), *folded = new_results();
  CHECK(diffnnp_compute_periodic(evaluator, &periodic, &own->results) == DIFFNNP_OK);
  all_results *travelled = exchanged(evaluator, list, &data);
  check_same(travelled, own);
  const int calls = data.forwards;
  CHECK(data.reverses == calls && data.widest == info->exchange_width && (calls > 0) == (info->exchange_width > 0));
  CHECK(data.singles == 0); /* of an evaluator in double precision */

  /* Atoms that have no part in the model stay out of what travels. */
  list_data *fewer = without_some(list);
  diffnnp_system system = system_of(fewer, 1);
  CHECK(diffnnp_compute(evaluator, &system, &folded->results) == DIFFNNP_OK);
  free(travelled);
  travelled = exchanged(evaluator, fewer, &data);
  check_same(travelled, folded);

  /* A domain that fails makes the same calls as the others, which wait for it. */
  diffnnp_exchange exchange = exchange_with(&data);
  memcpy(fewer, list, sizeof *list);
  fewer->x[4] = NAN;
  system = system_of(fewer, 0);
  system.exchange = &exchange;
  data = (exchange_data){list, 0, 0, 0, -1, 0};
  REFUSED(diffnnp_compute(evaluator, &system, &own->results), DIFFNNP_ERROR_SYSTEM, "not finite");
  CHECK(data.forwards == calls && data.reverses == calls && data.widest == info->exchange_width);

  /* So does one without atoms. */
  list_data *nothing = calloc(1, sizeof *nothing);
  nothing->nall = N; /* no ghosts */
  data = (exchange_data){nothing, 0, 0, 0, -1, 0};
  memset(&system, 0, sizeof system);
  system.size = sizeof system;
  system.exchange = &exchange;
  CHECK(diffnnp_compute(evaluator, &system, &own->results) == DIFFNNP_OK && own->results.energy == 0);
  CHECK(data.forwards == calls && data.reverses == calls);

  /* After a call that failed, none follows. */
  system = whole;
  system.owners = NULL;
  system.exchange = &exchange;
  for (int k = 1; k <= 2 * calls; k++) {
    data = (exchange_data){list, 0, 0, 0, k, 0};
    REFUSED(diffnnp_compute(evaluator, &system, &own->results), DIFFNNP_ERROR_EXCHANGE, "reported failure");
    CHECK(data.forwards + data.reverses == k);
  }
  free(nothing);
  free(fewer);
  free(own);
  free(folded);
  free(travelled);
}

/* Evaluators in single precision exchange single precision, where the caller has functions for it. */
static void test_single_exchange(diffnnp_model *model, const list_data *list, const diffnnp_model_info *info) {
  diffnnp_evaluator *evaluator;
  CHECK(diffnnp_evaluator_create(model, DIFFNNP_SINGLE, &evaluator) == DIFFNNP_OK);
  list_data *fewer = without_some(list);
  for (int k = 0; k < 2; k++) {
    const list_data *some = k == 0 ? list : fewer;
    exchange_data data = {list, 0, 0, 0, -1, 0};
    const diffnnp_system system = system_of(some, 1);
    all_results *folded = new_results();
    CHECK(diffnnp_compute(evaluator, &system, &folded->results) == DIFFNNP_OK);
    all_results *travelled = exchanged(evaluator, some, &data);
    check_within(2e-5, travelled, folded);
    CHECK(data.singles == data.forwards + data.reverses && data.widest == info->exchange_width);
    diffnnp_exchange doubles = exchange_with(&data);
    doubles.forward_single = NULL;
    doubles.reverse_single = NULL;
    data.singles = 0;
    all_results *in_double = exchanged_by(evaluator, some, doubles);
    check_within(2e-5, in_double, folded);
    CHECK(data.singles == 0);
    free(folded);
    free(travelled);
    free(in_double);
  }
  /* A domain that fails makes the calls that the others wait for. */
  fewer->x[4] = NAN;
  exchange_data data = {list, 0, 0, 0, -1, 0};
  const diffnnp_exchange exchange = exchange_with(&data);
  diffnnp_system system = system_of(fewer, 0);
  system.exchange = &exchange;
  all_results *all = new_results();
  REFUSED(diffnnp_compute(evaluator, &system, &all->results), DIFFNNP_ERROR_SYSTEM, "not finite");
  CHECK(data.singles == data.forwards + data.reverses && data.widest == info->exchange_width);
  free(all);
  free(fewer);
  CHECK(diffnnp_evaluator_free(evaluator) == DIFFNNP_OK);
}

/* Forces and virial are derivatives of the energy. */
static void test_derivatives(diffnnp_evaluator *evaluator) {
  const diffnnp_periodic_system system = periodic_system();
  all_results *all = new_results();
  const double h = 1e-4;
  CHECK(diffnnp_compute_periodic(evaluator, &system, &all->results) == DIFFNNP_OK);
  double sum = 0;
  for (int i = 0; i < N; i++) sum += all->atom_energies[i];
  CHECK(fabs(sum - all->results.energy) < 1e-10);

  double numerical[3 * N];
  for (int k = 0; k < 3 * N; k++) {
    const double x = positions[k];
    positions[k] = x + h;
    const double up = energy(evaluator);
    positions[k] = x - h;
    numerical[k] = (energy(evaluator) - up) / (2 * h);
    positions[k] = x;
  }
  CHECK(close_to(all->forces, numerical, 3 * N, 1e-5));

  const int axes[6][2] = {{0, 0}, {1, 1}, {2, 2}, {0, 1}, {0, 2}, {1, 2}};
  double saved_positions[3 * N], saved_cell[9], strained[6], virial[6] = {0};
  memcpy(saved_positions, positions, sizeof positions);
  memcpy(saved_cell, cell, sizeof cell);
  for (int v = 0; v < 6; v++) {
    double energies[2];
    for (int side = 0; side < 2; side++) {
      const double e = side ? -h : h;
      for (int i = 0; i < N; i++) positions[3 * i + axes[v][0]] += e * saved_positions[3 * i + axes[v][1]];
      for (int i = 0; i < 3; i++) cell[3 * i + axes[v][0]] += e * saved_cell[3 * i + axes[v][1]];
      energies[side] = energy(evaluator);
      memcpy(positions, saved_positions, sizeof positions);
      memcpy(cell, saved_cell, sizeof cell);
    }
    strained[v] = (energies[1] - energies[0]) / (2 * h);
    for (int i = 0; i < N; i++) virial[v] += all->atom_virials[6 * i + v];
  }
  CHECK(close_to(all->virial, strained, 6, 1e-4));
  CHECK(close_to(all->virial, virial, 6, 1e-9));
  free(all);
}

/* The caller's neighbour list gives what the library's own search gives. */
static void test_list(diffnnp_evaluator *evaluator, const list_data *list, int with_owners) {
  const diffnnp_periodic_system periodic = periodic_system();
  const diffnnp_system system = system_of(list, with_owners);
  all_results *own = new_results(), *callers = new_results();
  CHECK(diffnnp_compute_periodic(evaluator, &periodic, &own->results) == DIFFNNP_OK);
  CHECK(diffnnp_compute(evaluator, &system, &callers->results) == DIFFNNP_OK);
  CHECK(fabs(own->results.energy - callers->results.energy) < 1e-9);
  CHECK(close_to(own->atom_energies, callers->atom_energies, N, 1e-9));
  CHECK(close_to(own->forces, callers->forces, 3 * N, 1e-9));
  CHECK(close_to(own->virial, callers->virial, 6, 1e-8));
  CHECK(close_to(own->atom_virials, callers->atom_virials, 6 * N, 1e-8));
  CHECK(close_to(own->centroid_virials, callers->centroid_virials, 9 * N, 1e-8));
  CHECK(close_to(own->atom_grades, callers->atom_grades, N, 1e-9));
  CHECK(callers->atom_grades[0] > 0);
  int zero = 1;
  for (int k = 3 * N; k < 3 * list->nall; k++) zero = zero && callers->forces[k] == 0;
  for (int k = 6 * N; k < 6 * list->nall; k++) zero = zero && callers->atom_virials[k] == 0;
  CHECK(zero);
  free(own);
  free(callers);
}

/* Atoms of type -1, and local atoms that are not in ilist, are as if they were not there. */
static void test_strangers(diffnnp_evaluator *evaluator, const list_data *list, int with_owners) {
  enum { FIRST = 3, SECOND = 8 };
  list_data *marked = malloc(sizeof *marked);
  all_results *by_type = new_results(), *by_list = new_results(), *without = new_results();
  memcpy(marked, list, sizeof *list);
  for (int i = 0; i < list->nall; i++)
    if (list->owners[i] == FIRST || list->owners[i] == SECOND) marked->types[i] = -1;
  diffnnp_system system = system_of(marked, with_owners);
  CHECK(diffnnp_compute(evaluator, &system, &by_type->results) == DIFFNNP_OK);

  if (with_owners) {
    memcpy(marked->types, list->types, sizeof list->types);
    system.inum = 0;
    for (int i = 0; i < N; i++)
      if (i != FIRST && i != SECOND) marked->ilist[system.inum++] = i;
    CHECK(diffnnp_compute(evaluator, &system, &by_list->results) == DIFFNNP_OK);
    CHECK(close_to(by_type->forces, by_list->forces, 3 * N, 1e-12));
  }

  double fewer_positions[3 * N];
  int fewer_types[N], count = 0;
  for (int i = 0; i < N; i++)
    if (i != FIRST && i != SECOND) {
      memcpy(fewer_positions + 3 * count, positions + 3 * i, 3 * sizeof(double));
      fewer_types[count++] = types[i];
    }
  diffnnp_periodic_system periodic = periodic_system();
  periodic.natoms = count;
  periodic.positions = fewer_positions;
  periodic.types = fewer_types;
  CHECK(diffnnp_compute_periodic(evaluator, &periodic, &without->results) == DIFFNNP_OK);
  CHECK(fabs(without->results.energy - by_type->results.energy) < 1e-9);
  CHECK(close_to(without->virial, by_type->virial, 6, 1e-8));
  for (int i = 0, k = 0; i < N; i++) {
    const int stranger = i == FIRST || i == SECOND;
    const double zero[6] = {0};
    CHECK(close_to(by_type->atom_energies + i, stranger ? zero : without->atom_energies + k, 1, 1e-9));
    CHECK(close_to(by_type->atom_grades + i, stranger ? zero : without->atom_grades + k, 1, 1e-9));
    CHECK(close_to(by_type->forces + 3 * i, stranger ? zero : without->forces + 3 * k, 3, 1e-9));
    CHECK(close_to(by_type->atom_virials + 6 * i, stranger ? zero : without->atom_virials + 6 * k, 6, 1e-8));
    k += !stranger;
  }
  free(marked);
  free(by_type);
  free(by_list);
  free(without);
}

/* ---------------------------------------------------------------------------------------- special neighbours --- */

/* A copy in which each neighbour has a kind, the same seen from either end, of which `kinds` are kept. */
static list_data *with_kinds(const list_data *list, unsigned kinds) {
  list_data *copy = malloc(sizeof *copy);
  memcpy(copy, list, sizeof *copy);
  for (int i = 0; i < N; i++) {
    copy->firstneigh[i] = malloc(sizeof(int) * (size_t)list->nall);
    copy->numneigh[i] = 0;
    for (int n = 0; n < list->numneigh[i]; n++) {
      const int j = list->firstneigh[i][n] & 0x3FFFFFFF;
      const unsigned kind = (unsigned)(i + list->owners[j]) % 4;
      if (kinds >> kind & 1) copy->firstneigh[i][copy->numneigh[i]++] = (int)((unsigned)j | kind << 30);
    }
  }
  return copy;
}

static diffnnp_system weighted(const list_data *list, int with_owners, const double *weights) {
  diffnnp_system system = system_of(list, with_owners);
  system.special_weights = weights;
  system.special_shift = 30;
  return system;
}

/* Adds a multiple of results to others. */
static void add_multiple(all_results *sum, double factor, const all_results *part) {
  double *const to[] = {&sum->results.energy, sum->atom_energies, sum->forces, sum->virial, sum->atom_virials, sum->centroid_virials};
  const double *const from[] = {&part->results.energy, part->atom_energies, part->forces, part->virial, part->atom_virials,
                                part->centroid_virials};
  const int sizes[] = {1, N, 3 * N, 6, 6 * N, 9 * N};
  for (int k = 0; k < 6; k++)
    for (int i = 0; i < sizes[k]; i++) to[k][i] += factor * from[k][i];
}

static void test_special_weights(diffnnp_evaluator *evaluator, const list_data *list, int with_owners, int many_body) {
  list_data *all_kinds = with_kinds(list, 15);
  /* Neighbours of weight 0 are none, for all terms; where all weights are 1, there is nothing special. */
  for (unsigned kinds = 0; kinds < 16; kinds += 5) {
    const double weights[4] = {kinds & 1, kinds >> 1 & 1, kinds >> 2 & 1, kinds >> 3 & 1};
    list_data *some = with_kinds(list, kinds);
    const diffnnp_system left_out = system_of(some, with_owners), weighed = weighted(all_kinds, with_owners, weights);
    all_results *a = new_results(), *b = new_results();
    CHECK(diffnnp_compute(evaluator, &left_out, &a->results) == DIFFNNP_OK);
    CHECK(diffnnp_compute(evaluator, &weighed, &b->results) == DIFFNNP_OK);
    check_same(a, b);
    free(a);
    free(b);
    free_list(some);
  }
  const double weights[4] = {1, 0.5, 0, 1.5};
  const diffnnp_system system = weighted(all_kinds, with_owners, weights);
  all_results *whole = new_results(), *sum = calloc(1, sizeof *sum);
  if (many_body) {
    REFUSED(diffnnp_compute(evaluator, &system, &whole->results), DIFFNNP_ERROR_UNSUPPORTED, "part of a neighbour");
    /* Not so where there is no such neighbour. */
    list_data *some = with_kinds(list, 1 | 4);
    const diffnnp_system without = weighted(some, with_owners, weights);
    CHECK(diffnnp_compute(evaluator, &without, &whole->results) == DIFFNNP_OK);
    free_list(some);
  } else {
    /* Energies, forces and virials of pairs are multiplied; each kind alone is known from above. */
    CHECK(diffnnp_compute(evaluator, &system, &whole->results) == DIFFNNP_OK);
    for (int kind = 0; kind < 4; kind++) {
      double alone[4] = {0};
      alone[kind] = 1;
      const diffnnp_system part = weighted(all_kinds, with_owners, alone);
      all_results *results = new_results();
      CHECK(diffnnp_compute(evaluator, &part, &results->results) == DIFFNNP_OK);
      add_multiple(sum, weights[kind], results);
      free(results);
    }
    memcpy(sum->atom_grades, whole->atom_grades, sizeof sum->atom_grades);
    check_same(whole, sum);
    const long before = allocations;
    for (int step = 0; step < 10; step++) diffnnp_compute(evaluator, &system, &whole->results);
    CHECK(allocations == before);
  }

#define TRY(change, words) \
  do { \
    double other[4] = {1, 1, 0, 0}; \
    diffnnp_system wrong = weighted(all_kinds, with_owners, other); \
    change; \
    REFUSED(diffnnp_compute(evaluator, &wrong, &whole->results), DIFFNNP_ERROR_ARGUMENT, words); \
  } while (0)
  TRY(other[2] = -1, "special_weights[2] is -1");
  TRY(other[3] = NAN, "special_weights[3] is nan");
  TRY(other[0] = INFINITY, "special_weights[0] is inf");
  TRY(wrong.special_shift = 0, "special_shift is 0");
  TRY(wrong.special_shift = 31, "special_shift is 31");
  TRY(wrong.special_shift = 29, "a mask without");
  TRY(wrong.neighbour_mask = 0, "a mask without");
#undef TRY
  /* To a caller of version 0.1, there are no such members. */
  diffnnp_system early = weighted(all_kinds, with_owners, (const double *)1);
  early.size = offsetof(diffnnp_system, special_weights);
  all_results *early_results = new_results();
  const diffnnp_system plain = system_of(list, with_owners);
  CHECK(diffnnp_compute(evaluator, &early, &early_results->results) == DIFFNNP_OK);
  CHECK(diffnnp_compute(evaluator, &plain, &whole->results) == DIFFNNP_OK);
  check_same(early_results, whole);
  early.size--;
  REFUSED(diffnnp_compute(evaluator, &early, &early_results->results), DIFFNNP_ERROR_ARGUMENT, "size of diffnnp_system is");
  free(early_results);
  free(whole);
  free(sum);
  free_list(all_kinds);
}

/* After the first step, no allocations. */
static void test_allocations(diffnnp_model *model, const list_data *list, diffnnp_precision precision, int exchanging) {
  exchange_data data = {list, 0, 0, 0, -1, 0};
  const diffnnp_exchange exchange = exchange_with(&data);
  diffnnp_system system = system_of(list, !exchanging);
  if (exchanging) system.exchange = &exchange;
  all_results *all = new_results();
  diffnnp_evaluator *evaluator;
  CHECK(diffnnp_evaluator_create(model, precision, &evaluator) == DIFFNNP_OK);
  CHECK(diffnnp_compute(evaluator, &system, &all->results) == DIFFNNP_OK);
  const long before = allocations;
  for (int step = 0; step < 10; step++) diffnnp_compute(evaluator, &system, &all->results);
  const long during = allocations - before;
  if (during) printf("%ld allocations in 10 steps\n", during);
  CHECK(during == 0);
  CHECK(diffnnp_evaluator_free(evaluator) == DIFFNNP_OK);
  free(all);
}

#ifndef NO_COUNTING
/* Whichever piece of memory cannot be had, the call says so, and the next one that has it goes well. */
static void test_no_memory(diffnnp_model *model, const list_data *list, diffnnp_precision precision, int way) {
  exchange_data data = {list, 0, 0, 0, -1, 0};
  const diffnnp_exchange exchange = exchange_with(&data);
  const diffnnp_periodic_system periodic = periodic_system();
  diffnnp_system system = system_of(list, way == 0);
  if (way == 1) system.exchange = &exchange;
  all_results *all = new_results();
  double energy = NAN;
  int pieces = 0;
  for (int goes_well = 0; !goes_well; pieces++) {
    diffnnp_evaluator *evaluator;
    CHECK(diffnnp_evaluator_create(model, precision, &evaluator) == DIFFNNP_OK);
    for (int again = 0; again < 2 && !goes_well; again++) {
      memory_left = again ? -1 : pieces;
      const diffnnp_status status = way == 2 ? diffnnp_compute_periodic(evaluator, &periodic, &all->results)
                                             : diffnnp_compute(evaluator, &system, &all->results);
      memory_left = -1;
      goes_well = !again && status == DIFFNNP_OK;
      if (goes_well || again) {
        CHECK(status == DIFFNNP_OK && (isnan(energy) || energy == all->results.energy));
        energy = all->results.energy;
      } else {
        REFUSED(status, DIFFNNP_ERROR_MEMORY, "no memory for ");
      }
    }
    CHECK(diffnnp_evaluator_free(evaluator) == DIFFNNP_OK);
  }
  CHECK(pieces > 5 && pieces < 100);
  free(all);
}
#endif

/* ----------------------------------------------------------------------------------------------- threads --- */

/* Threads of one evaluator: many copies of the cell, so that each has some atoms. */
static void test_team(diffnnp_model *model) {
  enum { EDGE = 4, COPIES = EDGE * EDGE * EDGE };
  const diffnnp_periodic_system one = periodic_system();
  diffnnp_periodic_system many = one;
  double *x = malloc(sizeof(double[COPIES * N * 3])), cell[9];
  double *forces[2] = {malloc(sizeof(double[COPIES * N * 3])), malloc(sizeof(double[COPIES * N * 3]))};
  int *kinds = malloc(sizeof(int[COPIES * N]));
  for (int k = 0; k < 9; k++) cell[k] = EDGE * one.cell[k];
  for (int copy = 0; copy < COPIES; copy++)
    for (int i = 0; i < N; i++) {
      const int at[3] = {copy % EDGE, copy / EDGE % EDGE, copy / (EDGE * EDGE)};
      kinds[copy * N + i] = one.types[i];
      for (int k = 0; k < 3; k++) {
        double shift = 0;
        for (int row = 0; row < 3; row++) shift += at[row] * one.cell[3 * row + k];
        x[3 * (copy * N + i) + k] = one.positions[3 * i + k] + shift;
      }
    }
  many.natoms = COPIES * N;
  many.positions = x;
  many.types = kinds;
  many.cell = cell;
  for (int k = 0; k < 3; k++) many.periodic[k] = 1;

  diffnnp_evaluator *evaluator = NULL;
  CHECK(diffnnp_evaluator_create(model, DIFFNNP_DOUBLE, &evaluator) == DIFFNNP_OK);
  diffnnp_results results = {0};
  results.size = sizeof results;
  double energies[2];
  for (int k = 0; k < 2; k++) {
    results.forces = forces[k];
    CHECK(diffnnp_evaluator_set_threads(evaluator, 1 + 2 * k) == DIFFNNP_OK);
    CHECK(diffnnp_compute_periodic(evaluator, &many, &results) == DIFFNNP_OK);
    energies[k] = results.energy;
  }
  CHECK(energies[0] == energies[1]);
  CHECK(close_to(forces[0], forces[1], 3 * COPIES * N, 1e-12));
  REFUSED(diffnnp_evaluator_set_threads(evaluator, 0), DIFFNNP_ERROR_ARGUMENT, "threads is 0");
  REFUSED(diffnnp_evaluator_set_threads(evaluator, 1025), DIFFNNP_ERROR_ARGUMENT, "1 to 1024");
  REFUSED(diffnnp_evaluator_set_threads(NULL, 2), DIFFNNP_ERROR_HANDLE, "evaluator");
  CHECK(diffnnp_evaluator_free(evaluator) == DIFFNNP_OK);
  free(x);
  free(kinds);
  free(forces[0]);
  free(forces[1]);
}

typedef struct {
  const char *path;
  diffnnp_model *model;
  diffnnp_evaluator *shared;
  double energy;
  int number, silent, computed, busy, other;
} thread_data;

static void *use_own_evaluator(void *argument) {
  thread_data *data = argument;
  const diffnnp_periodic_system system = periodic_system();
  diffnnp_evaluator *evaluator = NULL;
  diffnnp_results results = {0};
  results.size = sizeof results;
  data->silent = strcmp(diffnnp_last_error(), "") == 0;
  diffnnp_evaluator_create(data->model, DIFFNNP_DOUBLE, &evaluator);
  for (int step = 0; step < 50; step++) {
    if (diffnnp_compute_periodic(evaluator, &system, &results) != DIFFNNP_OK) data->other++;
    data->energy = results.energy;
  }
  diffnnp_evaluator_free(evaluator);
  return NULL;
}

static void *use_shared_evaluator(void *argument) {
  thread_data *data = argument;
  const diffnnp_periodic_system system = periodic_system();
  diffnnp_results results = {0};
  results.size = sizeof results;
  for (int step = 0; step < 200; step++) {
    const diffnnp_status status = diffnnp_compute_periodic(data->shared, &system, &results);
    if (status == DIFFNNP_OK)
      data->computed++;
    else if (status == DIFFNNP_ERROR_BUSY)
      data->busy++;
    else
      data->other++;
  }
  return NULL;
}

/* Handles come and go in one thread while others use theirs, and each thread reads its own error. */
static void *load_and_free(void *argument) {
  thread_data *data = argument;
  char name[32];
  snprintf(name, sizeof name, "no/such/file/%d", data->number);
  for (int step = 0; step < 10; step++) {
    diffnnp_model *model, *none;
    diffnnp_evaluator *evaluator;
    diffnnp_model_info info = {0};
    const char *type_name;
    info.size = sizeof info;
    if (diffnnp_model_load(name, &none) != DIFFNNP_ERROR_FILE) data->other++;
    if (diffnnp_model_load(data->path, &model) != DIFFNNP_OK) data->other++;
    if (diffnnp_evaluator_create(model, DIFFNNP_SINGLE, &evaluator) != DIFFNNP_OK) data->other++;
    if (diffnnp_model_free(model) != DIFFNNP_OK) data->other++;
    if (diffnnp_model_get_info(data->model, &info) != DIFFNNP_OK) data->other++;
    if (diffnnp_model_get_type_name(data->model, 0, &type_name) != DIFFNNP_OK) data->other++;
    if (diffnnp_evaluator_free(evaluator) != DIFFNNP_OK) data->other++;
    if (!strstr(diffnnp_last_error(), name)) data->other++;
  }
  return NULL;
}

static void test_threads(const char *path, diffnnp_model *model, diffnnp_evaluator *evaluator) {
  enum { THREADS = 4 };
  pthread_t threads[THREADS];
  thread_data data[THREADS] = {{0}};
  const double expected = energy(evaluator);
  REFUSED(diffnnp_model_load("no/such/file", NULL), DIFFNNP_ERROR_ARGUMENT, "NULL"); /* of this thread only */
  for (int t = 0; t < THREADS; t++)
    data[t].path = path, data[t].model = model, data[t].shared = evaluator, data[t].number = t;
  for (int t = 0; t < THREADS; t++) pthread_create(&threads[t], NULL, use_own_evaluator, &data[t]);
  for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
  for (int t = 0; t < THREADS; t++) CHECK(data[t].silent && data[t].other == 0 && data[t].energy == expected);

  /* All kinds of calls at once. */
  for (int t = 0; t < THREADS; t++)
    pthread_create(&threads[t], NULL, t % 2 ? use_own_evaluator : load_and_free, &data[t]);
  for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
  for (int t = 0; t < THREADS; t++) CHECK(data[t].other == 0 && data[t].energy == expected);

  /* One evaluator for all is a mistake that is noticed. */
  for (int t = 0; t < THREADS; t++) pthread_create(&threads[t], NULL, use_shared_evaluator, &data[t]);
  for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
  for (int t = 0; t < THREADS; t++) CHECK(data[t].computed + data[t].busy == 200 && data[t].other == 0);
  CHECK(energy(evaluator) == expected);
}

/* Forces that are too large are refused, by index or ID, with the nearest neighbours; so are those that are not finite. */
static void test_largest_force(diffnnp_evaluator *evaluator, const list_data *list) {
  diffnnp_periodic_system system = periodic_system();
  diffnnp_results results = {0};
  double forces[3 * N], largest = 0, close_positions[3 * N];
  char words[32];
  int culprit = 0;
  results.size = sizeof results;
  results.forces = forces;
  CHECK(diffnnp_compute_periodic(evaluator, &system, &results) == DIFFNNP_OK);
  for (int i = N - 1; i >= 0; i--) {
    const double *f = forces + 3 * i, size = sqrt(f[0] * f[0] + f[1] * f[1] + f[2] * f[2]);
    if (size >= largest) largest = size, culprit = i;
  }
  results.max_force = 1.001 * largest;
  CHECK(diffnnp_compute_periodic(evaluator, &system, &results) == DIFFNNP_OK);
  results.max_force = 0.999 * largest;
  snprintf(words, sizeof words, "force on atom %d is", culprit);
  REFUSED(diffnnp_compute_periodic(evaluator, &system, &results), DIFFNNP_ERROR_FORCE, words);
  REFUSED(diffnnp_compute_periodic(evaluator, &system, &results), DIFFNNP_ERROR_FORCE, "nearest to it: ");

  /* With the IDs of a list; whatever the limit, the closest pair is named. */
  diffnnp_system listed = system_of(list, 1);
  int ids[MOST_ATOMS];
  all_results *all = new_results();
  for (int i = 0; i < list->nall; i++) ids[i] = 1000 + list->owners[i];
  listed.ids = ids;
  listed.id_size = sizeof *ids;
  all->results.max_force = 0.999 * largest;
  snprintf(words, sizeof words, "force on atom %d is", 1000 + culprit);
  REFUSED(diffnnp_compute(evaluator, &listed, &all->results), DIFFNNP_ERROR_FORCE, words);
  free(all);

  /* So near that lengths, or what is divided by them, leave the range of numbers: an answer is finite, or refused. */
  memcpy(close_positions, positions, sizeof positions);
  system.positions = close_positions;
  results.max_force = 0;
  for (double gap = 1e-3; gap > 1e-170; gap *= 1e-20) {
    for (int k = 0; k < 3; k++) close_positions[k] = close_positions[3 + k] = 0;
    close_positions[3] = gap;
    const diffnnp_status status = diffnnp_compute_periodic(evaluator, &system, &results);
    int finite = isfinite(results.energy);
    for (int k = 0; k < 3 * N; k++) finite = finite && isfinite(forces[k]);
    CHECK(finite || status == DIFFNNP_ERROR_FORCE || status == DIFFNNP_ERROR_SYSTEM);
  }
}

/* Grades of a model that has none are refused, before anything travels. */
static void test_ungraded(const char *path, const list_data *list) {
  diffnnp_model *model;
  diffnnp_evaluator *evaluator;
  diffnnp_model_info info = {0};
  const diffnnp_periodic_system periodic = periodic_system();
  const diffnnp_system system = system_of(list, 1);
  all_results *all = new_results();
  info.size = sizeof info;
  CHECK(diffnnp_model_load(path, &model) == DIFFNNP_OK);
  CHECK(diffnnp_model_get_info(model, &info) == DIFFNNP_OK && info.has_grades == 0);
  CHECK(diffnnp_evaluator_create(model, DIFFNNP_SINGLE, &evaluator) == DIFFNNP_OK);
  REFUSED(diffnnp_compute(evaluator, &system, &all->results), DIFFNNP_ERROR_UNSUPPORTED, "no extrapolation grades");
  REFUSED(diffnnp_compute_periodic(evaluator, &periodic, &all->results), DIFFNNP_ERROR_UNSUPPORTED, "no extrapolation");
  all->results.atom_grades = NULL;
  CHECK(diffnnp_compute_periodic(evaluator, &periodic, &all->results) == DIFFNNP_OK);
  CHECK(diffnnp_evaluator_free(evaluator) == DIFFNNP_OK);
  CHECK(diffnnp_model_free(model) == DIFFNNP_OK);
  free(all);
}

/* Members of an ensemble differ, and the first is what an evaluator is made for that names none. */
static void test_members(const char *path) {
  diffnnp_model *model;
  diffnnp_model_info info = {0};
  diffnnp_evaluator *evaluator;
  double energies[4];
  info.size = sizeof info;
  CHECK(diffnnp_model_load(path, &model) == DIFFNNP_OK);
  CHECK(diffnnp_model_get_info(model, &info) == DIFFNNP_OK && info.member_count == 3);
  for (int member = -1; member < 3; member++) {
    if (member < 0)
      CHECK(diffnnp_evaluator_create(model, DIFFNNP_DOUBLE, &evaluator) == DIFFNNP_OK);
    else
      CHECK(diffnnp_evaluator_create_member(model, DIFFNNP_DOUBLE, member, &evaluator) == DIFFNNP_OK);
    energies[1 + member] = energy(evaluator);
    CHECK(diffnnp_evaluator_free(evaluator) == DIFFNNP_OK);
  }
  /* Their pair terms are 1, 1.1 and 0.8 times that of the first. */
  CHECK(energies[0] == energies[1]);
  CHECK(fabs(energies[2] - 1.1 * energies[0]) < 1e-9 * fabs(energies[0]));
  CHECK(fabs(energies[3] - 0.8 * energies[0]) < 1e-9 * fabs(energies[0]));
  REFUSED(diffnnp_evaluator_create_member(model, DIFFNNP_DOUBLE, 3, &evaluator), DIFFNNP_ERROR_ARGUMENT, "member is 3");
  CHECK(evaluator == NULL);
  REFUSED(diffnnp_evaluator_create_member(model, DIFFNNP_DOUBLE, -1, &evaluator), DIFFNNP_ERROR_ARGUMENT, "member is -1");
  REFUSED(diffnnp_evaluator_create_member(NULL, DIFFNNP_DOUBLE, 0, &evaluator), DIFFNNP_ERROR_HANDLE, "model");
  REFUSED(diffnnp_evaluator_create_member(model, DIFFNNP_DOUBLE, 0, NULL), DIFFNNP_ERROR_ARGUMENT, "evaluator is NULL");
  CHECK(diffnnp_model_free(model) == DIFFNNP_OK);
}

int main(int argc, char **argv) {
  if (argc != 5) return fprintf(stderr, "usage: %s MODEL DAMAGED_MODEL UNGRADED_MODEL ENSEMBLE\n", argv[0]), 2;
  diffnnp_model *model = NULL;
  diffnnp_evaluator *evaluator = NULL;
  diffnnp_model_info info = {0};
  info.size = sizeof info;
  test_library();
  test_loading(argv[1], argv[2]);
  if (diffnnp_model_load(argv[1], &model) != DIFFNNP_OK || diffnnp_model_get_info(model, &info) != DIFFNNP_OK ||
      diffnnp_evaluator_create(model, DIFFNNP_DOUBLE, &evaluator) != DIFFNNP_OK) {
    printf("%s: %s\n%d passed, %d failed\n", argv[1], diffnnp_last_error(), passed, failed + 1);
    return 1;
  }
  make_system(info.type_count);
  list_data *list = make_list(info.r_max);
  const double before = energy(evaluator);
  test_handles(argv[1]);
  test_periodic_arguments(evaluator, info.type_count);
  test_list_arguments(evaluator, list, &info);
  CHECK(energy(evaluator) == before); /* no refusal left a trace */
  test_derivatives(evaluator);
  test_largest_force(evaluator, list);
  for (int with_owners = info.is_many_body; with_owners <= 1; with_owners++) {
    test_list(evaluator, list, with_owners);
    test_strangers(evaluator, list, with_owners);
    test_special_weights(evaluator, list, with_owners, info.is_many_body);
  }
  test_exchange(evaluator, list, &info);
  test_single_exchange(model, list, &info);
  for (int exchanging = 0; exchanging <= 1; exchanging++) {
    test_allocations(model, list, DIFFNNP_SINGLE, exchanging);
    test_allocations(model, list, DIFFNNP_DOUBLE, exchanging);
  }
#ifndef NO_COUNTING
  for (int way = 0; way < 3; way++) {
    test_no_memory(model, list, DIFFNNP_SINGLE, way);
    test_no_memory(model, list, DIFFNNP_DOUBLE, way);
  }
#endif
  test_threads(argv[1], model, evaluator);
  test_team(model);
  test_ungraded(argv[3], list);
  test_members(argv[4]);
  free_list(list);
  CHECK(diffnnp_evaluator_free(evaluator) == DIFFNNP_OK);
  CHECK(diffnnp_model_free(model) == DIFFNNP_OK);
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
