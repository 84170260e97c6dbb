/* leat.h - the whole public API in one include. */
#ifndef LEAT_LEAT_H
#define LEAT_LEAT_H

#include "leat/chat.h"
#include "leat/circlefit.h"
#include "leat/circlefitter.h"
#include "leat/common.h"
#include "leat/compare.h"
#include "leat/detect.h"
#include "leat/draw.h"
#include "leat/generate.h"
#include "leat/gguf.h"
#include "leat/grammar.h"
#include "leat/lm.h"
#include "leat/media.h"
#include "leat/minimise.h"
#include "leat/model.h"
#include "leat/pipeline.h"
#include "leat/status.h"
#include "leat/tensor.h"
#include "leat/tensor_io.h"
#include "leat/tokenizer.h"
#include "leat/track.h"
#include "leat/video.h"
#include "leat/workload.h"

#endif
