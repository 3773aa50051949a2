#pragma once

#include <cstddef>
#include <functional>

namespace tilewright {

/// Runs work(i) for every i in [0, count) on `jobs` threads (the caller is one of them) and calls
/// done(i) on the calling thread in the order of i, as soon as work(0..i) have finished. So results
/// can be committed as they are made, in an order that does not depend on `jobs`.
///
/// `stop()` is asked before each piece of work starts; once it says true nothing new starts, what
/// is in flight finishes, and done() runs for the finished prefix. Returns the length of that
/// prefix. The first exception (lowest i) is rethrown after done() of all before it.
size_t parallel_in_order(size_t count, int jobs, const std::function<void(size_t)>& work,
                         const std::function<void(size_t)>& done,
                         const std::function<bool()>& stop);

/// Number of processors that this process may use.
int processor_count();

}  // namespace tilewright
