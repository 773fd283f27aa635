/* settings.h - the ids of the settings, whose table is settings.def.  */
#ifndef EAGAIN_SETTINGS_H
#define EAGAIN_SETTINGS_H

enum setting_id {
#define SETTING(id, type, environment, option, argument, fallback, verbs, help) SETTING_##id,
#include "settings.def"
#undef SETTING
	SETTING_COUNT
};

#endif
