/* Reads the operator's settings strictly. Which keys there are is known by what the policy asks for: a key that nobody asked
   for is refused, so that a misspelt one is not ignored. */

#include "inner.h"

#include <inttypes.h>

/* JSON numbers are exact in every language up to here. */
#define LARGEST ((UINT64_C(1) << 53) - 1)

/* What one document's objects share. Only the first complaint counts. */
struct rectifier_reading {
    rectifier_string error;
    struct rectifier_object *objects;
};

struct rectifier_object {
    struct rectifier_reading *reading;
    const rectifier_json *json;
    const char *place;
    bool *asked;
    const char **known;
    size_t known_count;
    struct rectifier_object *before;
};

static void complain(rectifier_object *object, rectifier_string error)
{
    if (object->reading->error.len == 0)
        object->reading->error = error;
}

static rectifier_object *object_of(struct rectifier_reading *reading, const rectifier_json *json, const char *place)
{
    static const rectifier_json nothing = {RECTIFIER_JSON_OBJECT, false, {NULL, 0}, 0, NULL, NULL};
    rectifier_object *made = rectifier_alloc(sizeof *made);
    made->reading = reading;
    made->json = json == NULL ? &nothing : json;
    made->place = place;
    made->asked = rectifier_alloc(made->json->count);
    made->before = reading->objects;
    reading->objects = made;
    if (made->json->kind != RECTIFIER_JSON_OBJECT) {
        rectifier_string shown = rectifier_json_shown(json);
        complain(made, rectifier_format("%s is " RECTIFIER_TEXT ", not an object", place, RECTIFIER_SHOW(shown)));
        made->json = &nothing;
    }
    return made;
}

rectifier_object *rectifier_read(rectifier_string text)
{
    struct rectifier_reading *reading = rectifier_alloc(sizeof *reading);
    rectifier_string error = {NULL, 0};
    const rectifier_json *json = rectifier_json_parse(text, &error);
    rectifier_object *object = object_of(reading, json, "settings");
    if (json == NULL)
        complain(object, rectifier_format("settings: " RECTIFIER_TEXT, RECTIFIER_SHOW(error)));
    return object;
}

static void knows(rectifier_object *object, const char *key)
{
    for (size_t at = 0; at < object->known_count; at++) {
        if (strcmp(object->known[at], key) == 0)
            return;
    }
    size_t count = object->known_count;
    if ((count & (count - 1)) == 0) {
        const char **known = rectifier_alloc((count == 0 ? 1 : 2 * count) * sizeof *known);
        if (count > 0)
            memcpy(known, object->known, count * sizeof *known);
        object->known = known;
    }
    object->known[object->known_count++] = key;
}

const rectifier_json *rectifier_get_json(rectifier_object *object, const char *key)
{
    knows(object, key);
    const rectifier_json *found = rectifier_json_at(object->json, key);
    if (found != NULL)
        object->asked[found - object->json->values] = true;
    return found;
}

bool rectifier_has(rectifier_object *object, const char *key)
{
    return rectifier_get_json(object, key) != NULL;
}

void rectifier_need(rectifier_object *object, const char *key)
{
    if (!rectifier_has(object, key))
        complain(object, rectifier_format("%s.%s is missing", object->place, key));
}

void rectifier_refuse(rectifier_object *object, const char *key, const char *format, ...)
{
    knows(object, key);
    va_list values;
    va_start(values, format);
    rectifier_string why = rectifier_format_list(format, values);
    va_end(values);
    complain(object, rectifier_format("%s.%s " RECTIFIER_TEXT, object->place, key, RECTIFIER_SHOW(why)));
}

void rectifier_refuse_all(rectifier_object *object, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    complain(object, rectifier_format_list(format, values));
    va_end(values);
}

static void refuse_value(rectifier_object *object, const char *key, const rectifier_json *value, const char *wanted)
{
    rectifier_string shown = rectifier_json_shown(value);
    rectifier_refuse(object, key, "is " RECTIFIER_TEXT ", not %s", RECTIFIER_SHOW(shown), wanted);
}

bool rectifier_json_integer(const rectifier_json *value, bool *negative, uint64_t *size)
{
    *negative = false;
    *size = 0;
    if (value->kind != RECTIFIER_JSON_NUMBER)
        return false;
    for (size_t at = 0; at < value->text.len; at++) {
        uint8_t byte = value->text.ptr[at];
        if (at == 0 && byte == '-') {
            *negative = true;
            continue;
        }
        if (byte < '0' || byte > '9')
            return false;
        if (*size > (UINT64_MAX - (uint64_t)(byte - '0')) / 10)
            return false;
        *size = *size * 10 + (uint64_t)(byte - '0');
    }
    return true;
}

static uint64_t unsigned_up_to(rectifier_object *object, const char *key, uint64_t otherwise, uint64_t most)
{
    const rectifier_json *value = rectifier_get_json(object, key);
    bool negative;
    uint64_t size;
    if (value == NULL)
        return otherwise;
    if (rectifier_json_integer(value, &negative, &size) && size <= most && (!negative || size == 0))
        return size;
    rectifier_string wanted = rectifier_format("an integer from 0 to %" PRIu64, most);
    refuse_value(object, key, value, (const char *)wanted.ptr);
    return otherwise;
}

uint32_t rectifier_get_u32(rectifier_object *object, const char *key, uint32_t otherwise)
{
    return (uint32_t)unsigned_up_to(object, key, otherwise, UINT32_MAX);
}

uint64_t rectifier_get_u64(rectifier_object *object, const char *key, uint64_t otherwise)
{
    return unsigned_up_to(object, key, otherwise, LARGEST);
}

int64_t rectifier_get_i64(rectifier_object *object, const char *key, int64_t otherwise)
{
    const rectifier_json *value = rectifier_get_json(object, key);
    bool negative;
    uint64_t size;
    if (value == NULL)
        return otherwise;
    if (rectifier_json_integer(value, &negative, &size) && size <= LARGEST)
        return negative ? -(int64_t)size : (int64_t)size;
    rectifier_string wanted = rectifier_format("an integer from -%" PRIu64 " to %" PRIu64, LARGEST, LARGEST);
    refuse_value(object, key, value, (const char *)wanted.ptr);
    return otherwise;
}

double rectifier_get_number(rectifier_object *object, const char *key, double otherwise)
{
    const rectifier_json *value = rectifier_get_json(object, key);
    if (value == NULL)
        return otherwise;
    if (value->kind == RECTIFIER_JSON_NUMBER) {
        double number = strtod(rectifier_cstr(value->text), NULL);
        if (number - number == 0) /* neither infinite nor none */
            return number;
    }
    refuse_value(object, key, value, "a number");
    return otherwise;
}

bool rectifier_get_bool(rectifier_object *object, const char *key, bool otherwise)
{
    const rectifier_json *value = rectifier_get_json(object, key);
    if (value == NULL)
        return otherwise;
    if (value->kind == RECTIFIER_JSON_BOOL)
        return value->truth;
    refuse_value(object, key, value, "true or false");
    return otherwise;
}

/* NULL: it is no text that C can hold. */
static const char *c_text(const rectifier_json *value)
{
    bool well = value->kind == RECTIFIER_JSON_STRING;
    if (well && value->text.len > 0 && memchr(value->text.ptr, 0, value->text.len) != NULL)
        well = false;
    return well ? rectifier_cstr(value->text) : NULL;
}

const char *rectifier_get_string(rectifier_object *object, const char *key, const char *otherwise)
{
    const rectifier_json *value = rectifier_get_json(object, key);
    if (value == NULL)
        return otherwise;
    const char *text = c_text(value);
    if (text == NULL)
        refuse_value(object, key, value, "a string (without NUL)");
    return text == NULL ? otherwise : text;
}

size_t rectifier_get_count(rectifier_object *object, const char *key)
{
    const rectifier_json *value = rectifier_get_json(object, key);
    if (value == NULL)
        return 0;
    if (value->kind == RECTIFIER_JSON_LIST)
        return value->count;
    refuse_value(object, key, value, "a list");
    return 0;
}

static const rectifier_json *item_of(rectifier_object *object, const char *key, size_t index)
{
    if (index >= rectifier_get_count(object, key))
        rectifier_panic("%s.%s has no item %zu", object->place, key, index);
    return &rectifier_get_json(object, key)->values[index];
}

const char *rectifier_get_string_item(rectifier_object *object, const char *key, size_t index)
{
    const rectifier_json *value = item_of(object, key, index);
    const char *text = c_text(value);
    if (text != NULL)
        return text;
    rectifier_string place = rectifier_format("%s.%zu", key, index);
    refuse_value(object, (const char *)place.ptr, value, "a string (without NUL)");
    return "";
}

rectifier_object *rectifier_get_object(rectifier_object *object, const char *key)
{
    rectifier_string place = rectifier_format("%s.%s", object->place, key);
    return object_of(object->reading, rectifier_get_json(object, key), (const char *)place.ptr);
}

rectifier_object *rectifier_get_object_item(rectifier_object *object, const char *key, size_t index)
{
    rectifier_string place = rectifier_format("%s.%s.%zu", object->place, key, index);
    return object_of(object->reading, item_of(object, key, index), (const char *)place.ptr);
}

static void refuse_unknown(rectifier_object *object)
{
    for (size_t at = 0; at < object->json->count; at++) {
        if (object->asked[at])
            continue;
        rectifier_buffer known = {NULL, 0, 0};
        for (size_t key = 0; key < object->known_count; key++) {
            rectifier_put_text(&known, key == 0 ? "" : ", ");
            rectifier_put_text(&known, object->known[key]);
        }
        if (object->known_count == 0)
            rectifier_put_text(&known, "none");
        rectifier_json name = {RECTIFIER_JSON_STRING, false, object->json->names[at], 0, NULL, NULL};
        rectifier_string shown = rectifier_json_shown(&name), keys = rectifier_put_all(&known);
        complain(object, rectifier_format("%s: the key " RECTIFIER_TEXT " is not known; known: " RECTIFIER_TEXT, object->place,
                                          RECTIFIER_SHOW(shown), RECTIFIER_SHOW(keys)));
        return;
    }
}

const rectifier_string *rectifier_complaint(const rectifier_object *object)
{
    return &object->reading->error;
}

bool rectifier_read_well(rectifier_object *object, rectifier_string *error)
{
    for (rectifier_object *one = object->reading->objects; one != NULL; one = one->before)
        refuse_unknown(one);
    *error = object->reading->error;
    return error->len == 0;
}
