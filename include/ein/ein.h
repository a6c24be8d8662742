// Everything a user of ein includes.
#pragma once

#include "ein/Adjoint.h"
#include "ein/Attention.h"
#include "ein/Einsum.h"
#include "ein/Engine.h"
#include "ein/Kernel.h"
#include "ein/ProgramBuilder.h"
#include "ein/Sublists.h"
#include "ein/Version.h"
