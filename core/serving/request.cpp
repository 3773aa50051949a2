#include "core/serving/request.h"

namespace tilewright {

std::string_view name_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::kNone:
      return "";
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kRejected:
      return "rejected";
    case FinishReason::kAborted:
      return "abort";
  }
  return "";
}

}  // namespace tilewright
