/* A network's derivatives against reference arrays: jvp and vjp of eps in h and of h in x, and the gradient of the
 * loss in every parameter.  Tolerance 5e-5, as the reference states: one more pass than the forward. */
#ifndef HS_TESTS_GOLDEN_GRAD_H
#define HS_TESTS_GOLDEN_GRAD_H

/* A case's folder, its model and configuration (NULL: in the model's folder); by_name: the parameters of a trainable
 * network are called as the reference calls them, and their gradients are compared. */
void golden_derivatives(const char *folder, const char *model, const char *arch, int by_name);

#endif
