/* The SDK, compiled with the policy. */
#include <rectifier.c>
