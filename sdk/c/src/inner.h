/* What the files of the SDK share and a policy does not need. */
#ifndef RECTIFIER_INNER_H
#define RECTIFIER_INNER_H

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../rectifier.h"

rectifier_string rectifier_format_list(const char *format, va_list values);

/* Text that grows in the call's memory. */
typedef struct {
    char *at;
    size_t len, room;
} rectifier_buffer;

void rectifier_put(rectifier_buffer *buffer, const void *bytes, size_t len);
void rectifier_put_text(rectifier_buffer *buffer, const char *text);
rectifier_string rectifier_put_all(const rectifier_buffer *buffer);

/* Is it UTF-8? A component may hand out nothing else. */
bool rectifier_is_utf8(rectifier_string text);
/* As much of its beginning as is. */
rectifier_string rectifier_utf8_of(rectifier_string text);

/* A new last item of a list, or with a name the last field of an object; null until it is filled. It stays where it is
   until the next one is added to the same value. */
rectifier_json *rectifier_json_add(rectifier_json *to, rectifier_string name);

/* Reads settings, with a policy's questions between the two: what was wrong, if anything was. */
rectifier_object *rectifier_read(rectifier_string text);
const rectifier_string *rectifier_complaint(const rectifier_object *object);
bool rectifier_read_well(rectifier_object *object, rectifier_string *error);

/* A value as a message shows it: short. */
rectifier_string rectifier_json_shown(const rectifier_json *value);

#endif
