/* pager.h - a text on the whole terminal, to be read up and down.  */
#ifndef EAGAIN_PAGER_H
#define EAGAIN_PAGER_H

#include <stdbool.h>
#include <stddef.h>

/* Moves a place among `count` lines, of which `page` are shown, as the key says; false if the key says something else.  */
bool pager_move(int key, size_t *place, size_t count, size_t page);

/* Shows the text until it is left; false where the terminal is gone.  */
bool pager_show(const char *text, size_t size);

#endif
