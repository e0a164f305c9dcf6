/* The memory of one call. A policy is asked in an instance of its own, so nothing needs to be freed one by one: all of it
   goes when the call ends. */

#include "inner.h"

typedef struct block {
    struct block *before;
    max_align_t bytes[];
} block;

static block *newest;

void *rectifier_alloc(size_t size)
{
    block *taken = size > SIZE_MAX - sizeof(block) ? NULL : calloc(1, sizeof(block) + size);
    if (taken == NULL)
        rectifier_panic("there is no memory for %zu more bytes", size);
    taken->before = newest;
    newest = taken;
    return taken->bytes;
}

void rectifier_forget(void)
{
    while (newest != NULL) {
        block *freed = newest;
        newest = freed->before;
        free(freed);
    }
}

void rectifier_put(rectifier_buffer *buffer, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    if (len > buffer->room - buffer->len) {
        size_t room = buffer->len + len > 2 * buffer->room ? buffer->len + len : 2 * buffer->room;
        char *at = rectifier_alloc(room);
        if (buffer->len > 0)
            memcpy(at, buffer->at, buffer->len);
        buffer->at = at;
        buffer->room = room;
    }
    memcpy(buffer->at + buffer->len, bytes, len);
    buffer->len += len;
}

void rectifier_put_text(rectifier_buffer *buffer, const char *text)
{
    rectifier_put(buffer, text, strlen(text));
}

rectifier_string rectifier_put_all(const rectifier_buffer *buffer)
{
    rectifier_string all = {(uint8_t *)buffer->at, buffer->len};
    return all;
}
