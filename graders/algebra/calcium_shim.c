// The only file that includes Calcium's headers.
#include "graders/algebra/calcium_shim.h"

#include <stdlib.h>

#if defined(__has_include)
#if __has_include(<calcium/ca.h>)
#include <calcium/ca.h>
#include <calcium/qqbar.h>
#else
#include <flint/ca.h>
#include <flint/qqbar.h>
#endif
#endif

#define DEGREE_LIMIT 120
#define BITS_LIMIT 20000

struct assay_calcium {
  ca_ctx_t context;
};
struct assay_number {
  ca_t value;
};
struct assay_algebraic {
  qqbar_t value;
};

/* Out of memory ends the process, as it does inside FLINT. */
static void* Allocate(size_t size) {
  void* memory = malloc(size);
  if (memory == NULL) abort();
  return memory;
}

assay_calcium* assay_calcium_new(void) {
  assay_calcium* context = Allocate(sizeof *context);
  ca_ctx_init(context->context);
  return context;
}
void assay_calcium_free(assay_calcium* context) {
  ca_ctx_clear(context->context);
  free(context);
}

assay_number* assay_number_new(assay_calcium* context) {
  assay_number* x = Allocate(sizeof *x);
  ca_init(x->value, context->context);
  return x;
}
void assay_number_free(assay_calcium* context, assay_number* x) {
  ca_clear(x->value, context->context);
  free(x);
}
void assay_number_set(assay_calcium* context, assay_number* result, const assay_number* x) {
  ca_set(result->value, x->value, context->context);
}
void assay_number_set_mpq(assay_calcium* context, assay_number* result, mpq_srcptr value) {
  fmpq_t q;
  fmpq_init(q);
  fmpq_set_mpq(q, value);
  ca_set_fmpq(result->value, q, context->context);
  fmpq_clear(q);
}
void assay_number_pi(assay_calcium* context, assay_number* result) {
  ca_pi(result->value, context->context);
}
void assay_number_i(assay_calcium* context, assay_number* result) {
  ca_i(result->value, context->context);
}

void assay_number_unary(assay_calcium* context, assay_number* result, enum assay_unary op,
                        const assay_number* x) {
  ca_ctx_struct* ctx = context->context;
  switch (op) {
    case ASSAY_NEG:
      ca_neg(result->value, x->value, ctx);
      break;
    case ASSAY_EXP:
      ca_exp(result->value, x->value, ctx);
      break;
    case ASSAY_LOG:
      ca_log(result->value, x->value, ctx);
      break;
    case ASSAY_SIN:
      ca_sin(result->value, x->value, ctx);
      break;
    case ASSAY_COS:
      ca_cos(result->value, x->value, ctx);
      break;
    case ASSAY_TAN:
      ca_tan(result->value, x->value, ctx);
      break;
    case ASSAY_COT:
      ca_cot(result->value, x->value, ctx);
      break;
    case ASSAY_ASIN:
      ca_asin(result->value, x->value, ctx);
      break;
    case ASSAY_ACOS:
      ca_acos(result->value, x->value, ctx);
      break;
    case ASSAY_ATAN:
      ca_atan(result->value, x->value, ctx);
      break;
    case ASSAY_ABS:
      ca_abs(result->value, x->value, ctx);
      break;
    case ASSAY_FLOOR:
      ca_floor(result->value, x->value, ctx);
      break;
    case ASSAY_CEIL:
      ca_ceil(result->value, x->value, ctx);
      break;
    case ASSAY_SQRT:
      ca_sqrt(result->value, x->value, ctx);
      break;
    case ASSAY_RE:
      ca_re(result->value, x->value, ctx);
      break;
    case ASSAY_IM:
      ca_im(result->value, x->value, ctx);
      break;
    case ASSAY_CONJ:
      ca_conj(result->value, x->value, ctx);
      break;
    case ASSAY_SGN:
      ca_sgn(result->value, x->value, ctx);
      break;
    case ASSAY_ARG:
      ca_arg(result->value, x->value, ctx);
      break;
    case ASSAY_GAMMA:
      ca_gamma(result->value, x->value, ctx);
      break;
    case ASSAY_ERF:
      ca_erf(result->value, x->value, ctx);
      break;
  }
}

void assay_number_binary(assay_calcium* context, assay_number* result, enum assay_binary op,
                         const assay_number* x, const assay_number* y) {
  ca_ctx_struct* ctx = context->context;
  switch (op) {
    case ASSAY_ADD:
      ca_add(result->value, x->value, y->value, ctx);
      break;
    case ASSAY_MUL:
      ca_mul(result->value, x->value, y->value, ctx);
      break;
    case ASSAY_DIV:
      ca_div(result->value, x->value, y->value, ctx);
      break;
    case ASSAY_POW:
      ca_pow(result->value, x->value, y->value, ctx);
      break;
  }
}

void assay_number_pow_mpq(assay_calcium* context, assay_number* result, const assay_number* x,
                          mpq_srcptr exponent) {
  fmpq_t q;
  fmpq_init(q);
  fmpq_set_mpq(q, exponent);
  ca_pow_fmpq(result->value, x->value, q, context->context);
  fmpq_clear(q);
}

static enum assay_truth Truth(truth_t truth) {
  return truth == T_TRUE ? ASSAY_TRUE : truth == T_FALSE ? ASSAY_FALSE : ASSAY_UNKNOWN;
}
enum assay_truth assay_number_is_zero(assay_calcium* context, const assay_number* x) {
  return Truth(ca_check_is_zero(x->value, context->context));
}
enum assay_truth assay_number_is_negative(assay_calcium* context, const assay_number* x) {
  return Truth(ca_check_is_negative_real(x->value, context->context));
}
int assay_number_is_special(assay_calcium* context, const assay_number* x) {
  return ca_check_is_number(x->value, context->context) != T_TRUE;
}

assay_algebraic* assay_algebraic_new(void) {
  assay_algebraic* x = Allocate(sizeof *x);
  qqbar_init(x->value);
  return x;
}
void assay_algebraic_free(assay_algebraic* x) {
  qqbar_clear(x->value);
  free(x);
}
void assay_algebraic_set(assay_algebraic* result, const assay_algebraic* x) {
  qqbar_set(result->value, x->value);
}
int assay_algebraic_set_mpq(assay_algebraic* result, mpq_srcptr value) {
  fmpq_t q;
  fmpq_init(q);
  fmpq_set_mpq(q, value);
  qqbar_set_fmpq(result->value, q);
  fmpq_clear(q);
  return qqbar_height_bits(result->value) <= BITS_LIMIT;
}
void assay_algebraic_i(assay_algebraic* result) { qqbar_i(result->value); }

int assay_algebraic_binary(assay_algebraic* result, enum assay_binary op, const assay_algebraic* x,
                           const assay_algebraic* y) {
  if (!qqbar_binop_within_limits(x->value, y->value, DEGREE_LIMIT, BITS_LIMIT)) return 0;
  switch (op) {
    case ASSAY_ADD:
      qqbar_add(result->value, x->value, y->value);
      return 1;
    case ASSAY_MUL:
      qqbar_mul(result->value, x->value, y->value);
      return 1;
    case ASSAY_DIV:
      if (qqbar_is_zero(y->value)) return 0;
      qqbar_div(result->value, x->value, y->value);
      return 1;
    default:
      return 0;
  }
}
void assay_algebraic_neg(assay_algebraic* result, const assay_algebraic* x) {
  qqbar_neg(result->value, x->value);
}
int assay_algebraic_pow_mpq(assay_algebraic* result, const assay_algebraic* x,
                            mpq_srcptr exponent) {
  if (!mpz_fits_slong_p(mpq_numref(exponent)) || mpz_cmpabs_ui(mpq_numref(exponent), 1000) > 0)
    return 0;
  if (mpz_cmp_ui(mpq_denref(exponent), 60) > 0) return 0;
  const slong p = mpz_get_si(mpq_numref(exponent));
  const slong q = mpz_get_si(mpq_denref(exponent));
  if (p < 0 && qqbar_is_zero(x->value)) return 0;
  if (qqbar_degree(x->value) * q > DEGREE_LIMIT) return 0;
  if (qqbar_height_bits(x->value) * labs(p) > BITS_LIMIT) return 0;
  qqbar_root_ui(result->value, x->value, q);
  qqbar_pow_si(result->value, result->value, p);
  return 1;
}
int assay_algebraic_cos_pi(assay_algebraic* result, long p, unsigned long q) {
  if (q > DEGREE_LIMIT) return 0;
  qqbar_cos_pi(result->value, p, q);
  return 1;
}
int assay_algebraic_sin_pi(assay_algebraic* result, long p, unsigned long q) {
  if (q > DEGREE_LIMIT) return 0;
  qqbar_sin_pi(result->value, p, q);
  return 1;
}
int assay_algebraic_is_negative(const assay_algebraic* x) {
  return qqbar_is_real(x->value) && qqbar_sgn_re(x->value) < 0;
}
int assay_algebraic_equal(const assay_algebraic* x, const assay_algebraic* y) {
  return qqbar_equal(x->value, y->value);
}

void assay_flint_cleanup(void) { flint_cleanup(); }
