// All that programs use of Longhand, in one include.
#pragma once

#include "longhand/base/error.h"
#include "longhand/base/executor.h"
#include "longhand/c.h"
#include "longhand/model.h"
#include "longhand/predict.h"
#include "longhand/stream.h"
#include "longhand/training.h"
#include "longhand/version.h"
