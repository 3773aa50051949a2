#pragma once

#include "app/tui/jobs.h"

namespace tilewright {

/// Does a job of the workbench on the calling thread: the JobWork that the program runs with.
/// Throws Error or JobCancelled.
JobResult do_job(const JobRequest& request, const JobProgress& progress);

}  // namespace tilewright
