/*
 * diffnnp.h - run a diffnnp potential from C, C++, Fortran, ...
 *
 * A model is what a weight file holds. It never changes, and any number of threads may share it.
 * An evaluator computes with a model; it owns the buffers for that, so each thread needs one of
 * its own.
 *
 *     diffnnp_model *model;
 *     diffnnp_evaluator *evaluator;
 *     if (diffnnp_model_load("model.safetensors", &model) != DIFFNNP_OK) {
 *       puts(diffnnp_last_error());
 *       ...
 *     }
 *     diffnnp_evaluator_create(model, DIFFNNP_SINGLE, &evaluator);
 *     at each step: diffnnp_compute(evaluator, &system, &results);
 *     diffnnp_evaluator_free(evaluator);
 *     diffnnp_model_free(model);
 *
 * Units       Lengths in angstrom, energies in eV, forces in eV/angstrom, virials in eV,
 *             temperatures in K.
 * Arrays      Contiguous, the last index runs fastest. [nall][3] means nall * 3 numbers.
 * Ownership   The caller owns all that it passes; the library keeps no pointer to it after the
 *             call. Handles are the library's: opaque, and to be freed with the function that
 *             goes with them.
 * Errors      Every function that can fail returns a status. It never aborts, prints, or changes
 *             the results when it refuses its arguments; diffnnp_last_error() says what was
 *             wrong, counting atoms from 0. A handle that is NULL, freed, of the other kind, or
 *             no handle at all gives DIFFNNP_ERROR_HANDLE. Where there is no memory for what
 *             grows with a system, the status is DIFFNNP_ERROR_MEMORY, and the evaluator is as
 *             good as before; only without the little that a model or a message needs does the
 *             process end.
 * Structs     Start with their size, to be set to sizeof by the caller: that is how a later
 *             library tells what an earlier caller knows of. Later versions add members at the
 *             end; to those that the caller does not know of, the library neither looks nor
 *             writes, and takes them for zero. A struct that is larger than the library knows is
 *             refused: the library must not be older than the header. Set the whole struct to
 *             zero first, then the members of interest.
 * Threads     "Any thread": may be called from several threads at once, with the same arguments.
 *             "One thread at a time": the handle must not be in use by another thread; where it
 *             is, the call returns DIFFNNP_ERROR_BUSY.
 */
#ifndef DIFFNNP_H
#define DIFFNNP_H

#include <stddef.h>

/* The version of this header; that of the library is diffnnp_version(). Since version 0.2. */
#define DIFFNNP_VERSION_MAJOR 0
#define DIFFNNP_VERSION_MINOR 2
#define DIFFNNP_VERSION_PATCH 0

/* Marks what the library exports; define it before, where a compiler wants something else. */
#ifndef DIFFNNP_API
#if defined(__GNUC__)
#define DIFFNNP_API __attribute__((visibility("default")))
#else
#define DIFFNNP_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What a weight file holds: type names, cutoff, coefficients. */
typedef struct diffnnp_model diffnnp_model;

/* The means of computing with a model: precision and buffers. */
typedef struct diffnnp_evaluator diffnnp_evaluator;

/* How a call ended. */
typedef enum diffnnp_status {
  DIFFNNP_OK = 0,
  DIFFNNP_ERROR_ARGUMENT = 1,    /* a NULL pointer, a negative count, a struct of the wrong size */
  DIFFNNP_ERROR_HANDLE = 2,      /* not a live handle of the kind expected */
  DIFFNNP_ERROR_FILE = 3,        /* the weight file is missing, damaged, or too new */
  DIFFNNP_ERROR_SYSTEM = 4,      /* positions, types, neighbours or cell make no sense */
  DIFFNNP_ERROR_UNSUPPORTED = 5, /* sensible, but beyond this version of the library */
  DIFFNNP_ERROR_BUSY = 6,        /* the evaluator is computing for another thread */
  DIFFNNP_ERROR_EXCHANGE = 7,    /* a callback of the caller reported failure */
  DIFFNNP_ERROR_FORCE = 8,       /* a force or the energy is not finite, or a force too large */
  DIFFNNP_ERROR_MEMORY = 9       /* no memory for a system of this size; since version 0.2 */
} diffnnp_status;

/* Arithmetic of the network. Single precision is meant for dynamics: forces are good to about
 * 1e-6 of their size. Pair terms, sums and all arguments are in double precision either way. */
typedef enum diffnnp_precision { DIFFNNP_SINGLE = 0, DIFFNNP_DOUBLE = 1 } diffnnp_precision;

/* ---------------------------------------------------------------------------- the library --- */

/* The version of the library, such as "1.2.0". Never fails.
 * The string lives as long as the library. Any thread. */
DIFFNNP_API const char *diffnnp_version(void);

/* What was wrong in the last call of this thread that did not return DIFFNNP_OK, in one line; ""
 * where all went well so far. Successful calls leave it as it is. The string lives until the next
 * failing call of the same thread. Any thread. */
DIFFNNP_API const char *diffnnp_last_error(void);

/* --------------------------------------------------------------------------------- models --- */

/* Reads a weight file and checks all of it. *model is NULL where that fails.
 * Free the model with diffnnp_model_free. Any thread. */
DIFFNNP_API diffnnp_status diffnnp_model_load(
    const char *path,       /* file name, UTF-8 */
    diffnnp_model **model); /* out: the model */

/* Frees a model. Evaluators made from it stay valid. NULL is allowed, and does nothing.
 * Any thread, once for each model. */
DIFFNNP_API diffnnp_status diffnnp_model_free(diffnnp_model *model);

/* Facts about a model. */
typedef struct diffnnp_model_info {
  size_t size;        /* in: sizeof(diffnnp_model_info) */
  int type_count;     /* types are numbered 0 ... type_count - 1 */
  /* 1: has triplets or a network, so needs `owners` or `exchange` (see diffnnp_system); 0: pair
   * term alone */
  int is_many_body;
  double r_max;       /* cutoff: atoms farther apart do not see each other directly (angstrom) */
  double temperature; /* of the training data (K); 0 where the file does not say */
  /* the largest width that the functions of `exchange` are called with; 0: they are not called */
  int exchange_width;
  /* of the training data: atoms for one cubic angstrom; 0 where the file does not say */
  double density;
  /* [3][3] mean cell vectors of the training data, one in each row (angstrom); 0 likewise */
  double cell[9];
  /* 1: the file knows where its training data end, so that atom_grades can be asked for; 0: not */
  int has_grades;
  /* of an ensemble: models trained on resampled data, whose spread says how uncertain forces are;
   * 1: none */
  int member_count;
  /* out: of the file, tells one model from another; lives as long as the model */
  const char *checksum;
} diffnnp_model_info;

/* Fills *info. Any thread. */
DIFFNNP_API diffnnp_status diffnnp_model_get_info(
    const diffnnp_model *model, diffnnp_model_info *info);

/* Name of a type, such as "Li". The string lives as long as the model. Any thread. */
DIFFNNP_API diffnnp_status diffnnp_model_get_type_name(
    const diffnnp_model *model,
    int type,           /* 0 ... type_count - 1 */
    const char **name); /* out: the name, UTF-8 */

/* ----------------------------------------------------------------------------- evaluators --- */

/* Makes an evaluator; of an ensemble, one for the first member. *evaluator is NULL where that
 * fails. Free it with diffnnp_evaluator_free. Any thread. */
DIFFNNP_API diffnnp_status diffnnp_evaluator_create(
    const diffnnp_model *model,
    diffnnp_precision precision,
    diffnnp_evaluator **evaluator); /* out: the evaluator */

/* Makes an evaluator for one member of an ensemble. The first is trained on all data, and alone
 * has extrapolation grades. *evaluator is NULL where that fails. Free it with
 * diffnnp_evaluator_free. Any thread. */
DIFFNNP_API diffnnp_status diffnnp_evaluator_create_member(
    const diffnnp_model *model,
    diffnnp_precision precision,
    int member,                     /* 0 ... member_count - 1 */
    diffnnp_evaluator **evaluator); /* out: the evaluator */

/* Says how many threads share the work of an evaluator, the calling one among them; at first it
 * is one. The others belong to the evaluator, and sleep between calls, from 0.1 ms after each.
 * For fewer than 64 atoms for each thread fewer are at work. Energies do not depend on the
 * number, all else to rounding alone. DIFFNNP_ERROR_ARGUMENT: less than 1, or more than 1024. One
 * thread at a time. */
DIFFNNP_API diffnnp_status diffnnp_evaluator_set_threads(diffnnp_evaluator *evaluator, int threads);

/* Frees an evaluator. NULL is allowed, and does nothing. One thread at a time. */
DIFFNNP_API diffnnp_status diffnnp_evaluator_free(diffnnp_evaluator *evaluator);

/* ------------------------------------------------------------------------------ computing --- */

/* What the caller does for a network whose atoms are spread over several domains: before each
 * layer but the first, values travel from the atoms that are computed here to their copies in
 * other domains, and gradients back. The library calls these from within diffnnp_compute, in the
 * calling thread. How often, in which order and with which widths depends on the model alone, so
 * all domains make the same calls, also one without atoms. A domain whose call of diffnnp_compute
 * fails takes part with zeros, and returns its error afterwards; the others do not hear of it, so
 * let all domains agree. Where arguments, handles or structs are refused, or there is no memory
 * for what travels, nothing is called.
 *
 * A non-zero result makes diffnnp_compute return DIFFNNP_ERROR_EXCHANGE, and no more of these are
 * called. They must return: no exception may leave them, no jump, and no call of the same
 * evaluator be made from them. */
typedef struct diffnnp_exchange {
  size_t size;   /* sizeof(diffnnp_exchange) */
  void *context; /* handed to the callbacks */
  /* Copies the values of each ghost's owner to the ghost. */
  int (*forward)(void *context, double *values /* [nall][width] */, int width);
  /* Adds the values of each ghost to its owner. What is left in the ghosts does not matter. */
  int (*reverse)(void *context, double *values /* [nall][width] */, int width);
  /* Both in single precision; or NULL, both. Evaluators of single precision call these where they
   * are given, and half as much travels. All domains must have the same precision, and give them
   * or not. */
  int (*forward_single)(void *context, float *values /* [nall][width] */, int width);
  int (*reverse_single)(void *context, float *values /* [nall][width] */, int width);
} diffnnp_exchange;

/* Atoms with the neighbour list of the caller, in the form LAMMPS has it. The first nlocal atoms
 * are computed; the others, "ghosts", are periodic images of them, or copies of atoms of other
 * domains. Ghosts are needed as far as r_max from local atoms, however many layers a network has.
 * A ghost of an atom that has no part in the model is of type -1.
 *
 * Forces on ghosts. With `owners`, they are folded onto the owners: the forces of ghosts are
 * zero, nothing is left to do. With `exchange`, forces on ghosts are left to the caller, to be
 * added to those of their owners, and so are virials of atoms. A pair term alone needs neither:
 * every local atom receives the whole of its force, and ghosts none, as long as the neighbour
 * list is full, on any number of domains; `exchange` is not used. */
typedef struct diffnnp_system {
  size_t size;             /* sizeof(diffnnp_system) */
  int nlocal;              /* atoms to compute */
  int nall;                /* atoms in the arrays: nlocal, and ghosts behind them */
  const double *positions; /* [nall][3] angstrom */
  /* [nall] 0 ... type_count - 1; -1: not an atom of this model, has no part in it */
  const int *types;
  /* Full neighbour list: for each atom of ilist, all atoms closer than r_max; more do no harm. */
  int inum;                /* length of ilist */
  /* [inum] local atoms, each once; local atoms not in it count as not of this model */
  const int *ilist;
  const int *numneigh;     /* [nlocal] numbers of neighbours; read for the atoms of ilist */
  /* [nlocal][numneigh[i]] their neighbours, 0 ... nall - 1 once masked; not written to */
  int *const *firstneigh;
  /* bits of a neighbour that are its index: NEIGHMASK of LAMMPS; 0 for all of them */
  int neighbour_mask;
  /* [nall] the local atom of which each atom is an image, local atoms of themselves; or NULL */
  const int *owners;
  /* [nall] what messages call the atoms, such as LAMMPS's tags; or NULL: their indices */
  const void *ids;
  /* size of an id in bytes: 4 (int32_t) or 8 (int64_t); not read where ids is NULL */
  int id_size;
  /* for triplets and networks over several domains, instead of owners; or NULL */
  const diffnnp_exchange *exchange;
  /* Since version 0.2. How much a neighbour counts that is bonded to the atom, by its kind:
   * special_lj of LAMMPS. Those of weight 0 are no neighbours; energies and forces of pairs are
   * multiplied by other weights, which triplets and networks refuse. */
  /* [4] weight of each kind; or NULL: all neighbours count as they are */
  const double *special_weights;
  /* a neighbour's kind is in the two bits from here on: SBBITS of LAMMPS; outside the mask */
  int special_shift;
} diffnnp_system;

/* What to compute; NULL where unwanted. Everything is overwritten, nothing added to. */
typedef struct diffnnp_results {
  size_t size;           /* in: sizeof(diffnnp_results) */
  double energy;         /* out: sum of the local atoms' energies (eV) */
  double *atom_energies; /* out: [nlocal] eV; 0 for atoms not of this model */
  double *forces;        /* out: [nall][3] eV/angstrom */
  double *virial;        /* out: [6] sum of r_ij * F_ij: xx, yy, zz, xy, xz, yz (eV) */
  /* out: [nall][6] share of each atom, half of each edge's at either end (eV) */
  double *atom_virials;
  /* out: [nall][9] virial of each atom about the atoms whose energy acts on it: xx, yy, zz, xy,
   * xz, yz, yx, zx, zy; the first letter is that of r, the second that of F (eV). For heat
   * fluxes, sum of (energy + virial) * velocity: exact for pair terms, triplets and networks of
   * one layer. */
  double *centroid_virials;
  /* out: [nlocal] extrapolation grades: how far the surroundings of each atom are outside the
   * training data. Less than 1 inside, 1 at the edge, more outside; 0 for atoms not of this
   * model. */
  double *atom_grades;
  /* in: a larger force on an atom gives DIFFNNP_ERROR_FORCE (eV/angstrom); 0: any that is finite */
  double max_force;
} diffnnp_results;

/* Computes energy, forces and virial with the neighbour list of the caller. Allocates nothing
 * once its buffers have grown to the size of the system. Checks all counts, indices and
 * positions.
 *
 * DIFFNNP_ERROR_UNSUPPORTED: triplets or a network without `owners` and `exchange`, or with a
 * neighbour whose weight is neither 0 nor 1; grades of a model that has none.
 * DIFFNNP_ERROR_SYSTEM: an index out of range, a position that is not finite, two atoms in one
 * place. DIFFNNP_ERROR_EXCHANGE: a function of `exchange` reported failure. DIFFNNP_ERROR_MEMORY:
 * see above. DIFFNNP_ERROR_FORCE: a force, or the energy, is not finite, or a force is larger
 * than `max_force`; the message names the atom and its nearest neighbours. Forces are looked at
 * where they are asked for; with `exchange`, as they are before those of ghosts are added.
 * Results are undefined after an error. One thread at a time. */
DIFFNNP_API diffnnp_status diffnnp_compute(
    diffnnp_evaluator *evaluator, const diffnnp_system *system, diffnnp_results *results);

/* Atoms in a cell, for which the library finds the neighbours. */
typedef struct diffnnp_periodic_system {
  size_t size;             /* sizeof(diffnnp_periodic_system) */
  int natoms;              /* number of atoms: nlocal and nall of diffnnp_results */
  const double *positions; /* [natoms][3] angstrom, inside or outside the cell */
  const int *types;        /* [natoms] 0 ... type_count - 1 */
  const double *cell;      /* [3][3] cell vectors a, b, c, one in each row (angstrom) */
  int periodic[3];         /* 1 where the system repeats along a, b, c; 0 where not */
} diffnnp_periodic_system;

/* Computes energy, forces and virial of atoms in a cell; right also where r_max exceeds half the
 * cell.
 *
 * DIFFNNP_ERROR_SYSTEM: a type out of range, a position that is not finite, a cell without
 * volume, or one so small against r_max that its images would not fit into memory, two atoms in
 * one place. DIFFNNP_ERROR_FORCE: as above. Results are undefined after an error. One thread at a
 * time. */
DIFFNNP_API diffnnp_status diffnnp_compute_periodic(
    diffnnp_evaluator *evaluator, const diffnnp_periodic_system *system, diffnnp_results *results);

#ifdef __cplusplus
}
#endif

#endif
