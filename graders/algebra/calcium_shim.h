// Calcium behind a small C interface: its own headers are not C++.
#pragma once

#include <gmp.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct assay_calcium assay_calcium; /* a context; owned by one thread */
typedef struct assay_number assay_number;   /* a number of one context */

enum assay_truth { ASSAY_FALSE = 0, ASSAY_TRUE = 1, ASSAY_UNKNOWN = 2 };

enum assay_unary {
  ASSAY_NEG,
  ASSAY_EXP,
  ASSAY_LOG,
  ASSAY_SIN,
  ASSAY_COS,
  ASSAY_TAN,
  ASSAY_COT,
  ASSAY_ASIN,
  ASSAY_ACOS,
  ASSAY_ATAN,
  ASSAY_ABS,
  ASSAY_FLOOR,
  ASSAY_CEIL,
  ASSAY_SQRT,
  ASSAY_RE,
  ASSAY_IM,
  ASSAY_CONJ,
  ASSAY_SGN,
  ASSAY_ARG,
  ASSAY_GAMMA,
  ASSAY_ERF
};
enum assay_binary { ASSAY_ADD, ASSAY_MUL, ASSAY_DIV, ASSAY_POW };

assay_calcium* assay_calcium_new(void);
void assay_calcium_free(assay_calcium* context);

assay_number* assay_number_new(assay_calcium* context);
void assay_number_free(assay_calcium* context, assay_number* x);
void assay_number_set(assay_calcium* context, assay_number* result, const assay_number* x);
void assay_number_set_mpq(assay_calcium* context, assay_number* result, mpq_srcptr value);
void assay_number_pi(assay_calcium* context, assay_number* result);
void assay_number_i(assay_calcium* context, assay_number* result);
void assay_number_unary(assay_calcium* context, assay_number* result, enum assay_unary op,
                        const assay_number* x);
void assay_number_binary(assay_calcium* context, assay_number* result, enum assay_binary op,
                         const assay_number* x, const assay_number* y);
void assay_number_pow_mpq(assay_calcium* context, assay_number* result, const assay_number* x,
                          mpq_srcptr exponent);
enum assay_truth assay_number_is_zero(assay_calcium* context, const assay_number* x);
enum assay_truth assay_number_is_negative(assay_calcium* context, const assay_number* x);
/* True for undefined, infinities and "unknown" values. */
int assay_number_is_special(assay_calcium* context, const assay_number* x);

/* Algebraic numbers by their minimal polynomials. Operations return 0 where a limit is passed. */
typedef struct assay_algebraic assay_algebraic;
assay_algebraic* assay_algebraic_new(void);
void assay_algebraic_free(assay_algebraic* x);
void assay_algebraic_set(assay_algebraic* result, const assay_algebraic* x);
int assay_algebraic_set_mpq(assay_algebraic* result, mpq_srcptr value);
void assay_algebraic_i(assay_algebraic* result);
int assay_algebraic_binary(assay_algebraic* result, enum assay_binary op, const assay_algebraic* x,
                           const assay_algebraic* y);
void assay_algebraic_neg(assay_algebraic* result, const assay_algebraic* x);
int assay_algebraic_pow_mpq(assay_algebraic* result, const assay_algebraic* x, mpq_srcptr exponent);
/* cos(pi p/q) and sin(pi p/q) */
int assay_algebraic_cos_pi(assay_algebraic* result, long p, unsigned long q);
int assay_algebraic_sin_pi(assay_algebraic* result, long p, unsigned long q);
int assay_algebraic_is_negative(const assay_algebraic* x);
int assay_algebraic_equal(const assay_algebraic* x, const assay_algebraic* y);

/* Frees what FLINT keeps for this thread. */
void assay_flint_cleanup(void);

#ifdef __cplusplus
}
#endif
