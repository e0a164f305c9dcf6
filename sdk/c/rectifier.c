/* The whole SDK as one file to compile beside a policy. On the machine itself, in tests, the generated code stays away: there is
   no component around it. */

#include "src/answers.c"
#include "src/form.c"
#include "src/glue.c"
#include "src/json.c"
#include "src/log.c"
#include "src/memory.c"
#include "src/questions.c"
#include "src/settings.c"
#include "src/text.c"

#ifdef __wasm__
#include "generated/policy.c"
#endif
