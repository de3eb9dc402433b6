// Like a generated NAME_open.
#pragma once

#include "runtime/api/ggufc.h"

extern "C" ggufc_status OpenTiny(const char* weights_path, const ggufc_options* options, ggufc_model** model);
