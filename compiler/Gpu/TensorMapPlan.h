// Tensor maps, where plans are made: the public type.
#pragma once

#include "ein/Launch.h"
