#pragma once

/// \file
/// The scores of the tracking protocol: DAVIS's J and F, JHMDB's PCK and VIP's mean IoU, each for whole arrays and as a
/// counter that is fed frame by frame. (Spec, section 6.)

#include <rvm/tracking/metrics/davis.hpp>
#include <rvm/tracking/metrics/mean_iou.hpp>
#include <rvm/tracking/metrics/pck.hpp>
