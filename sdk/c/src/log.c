/* Lines for the operator's log: the engine passes them on, up to its limits. In tests on the machine itself they go to
   standard error. */

#include "inner.h"

#include <stdio.h>

#ifdef __wasm__

static void log_write(rectifier_policy_log_level_t level, rectifier_string message)
{
    rectifier_policy_log_write(level, &message);
}

void rectifier_panic(const char *format, ...)
{
    /* No memory is taken: it may be what is missing. */
    static char line[1024];
    va_list values;
    va_start(values, format);
    int len = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    rectifier_string message = {(uint8_t *)line, len < 0 ? 0 : (size_t)len};
    if (message.len >= sizeof line)
        message.len = sizeof line - 1;
    /* Neither half a character nor what is none may go out. */
    log_write(RECTIFIER_POLICY_LOG_LEVEL_ERROR, rectifier_utf8_of(message));
    __builtin_trap();
}

#else

static void log_write(rectifier_policy_log_level_t level, rectifier_string message)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    fprintf(stderr, "%s: " RECTIFIER_TEXT "\n", names[level], RECTIFIER_SHOW(message));
}

void rectifier_panic(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    fputs("error: ", stderr);
    vfprintf(stderr, format, values);
    fputs("\n", stderr);
    va_end(values);
    abort();
}

#endif

#define LEVEL(name, level)                                                                                                     \
    void rectifier_##name(const char *format, ...)                                                                             \
    {                                                                                                                          \
        va_list values;                                                                                                        \
        va_start(values, format);                                                                                              \
        log_write(RECTIFIER_POLICY_LOG_LEVEL_##level, rectifier_utf8_of(rectifier_format_list(format, values)));               \
        va_end(values);                                                                                                        \
    }

LEVEL(debug, DEBUG)
LEVEL(info, INFO)
LEVEL(warn, WARN)
LEVEL(error, ERROR)

#undef LEVEL
