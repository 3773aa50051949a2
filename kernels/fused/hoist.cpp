#include "kernels/fused/hoist.h"

namespace tilewright {

namespace {

class Hoist {
 public:
  Hoist(const VecProgram& program, const std::vector<bool>& is_full)
      : program_(program), body_(program.body), is_fixed_(program.arrays.size(), true) {
    for (size_t i = 0; i < is_fixed_.size(); ++i) {
      for (const int axis : program.arrays[i].axes) {
        if (!is_full[static_cast<size_t>(axis)]) is_fixed_[i] = false;
      }
    }
    keep_in_place();
    while (give_up()) {
    }
  }

  VecProgram program() const {
    VecProgram result = program_;
    result.body.loads.clear();
    result.body.steps.clear();
    for (const VecTransfer& load : body_.loads) {
      (is_fixed(load.array) ? result.once : result.body).loads.push_back(load);
    }
    for (const VecStep& step : body_.steps) {
      (is_fixed(step.dst) ? result.once : result.body).steps.push_back(step);
    }
    return result;
  }

 private:
  bool is_fixed(int array) const { return is_fixed_[static_cast<size_t>(array)]; }
  /// Whether the array was taken for fixed until now.
  bool release(int array) {
    if (array < 0 || !is_fixed(array)) return false;
    is_fixed_[static_cast<size_t>(array)] = false;
    return true;
  }

  /// What other parts write, and what leaves UB, stays where it is.
  void keep_in_place() {
    for (const VecPart* part : {&program_.begin, &program_.body, &program_.end}) {
      for (const VecTransfer& store : part->stores) release(store.array);
      if (part == &program_.body) continue;
      for (const VecTransfer& load : part->loads) release(load.array);
      for (const VecStep& step : part->steps) {
        release(step.dst);
        release(step.scratch);
      }
    }
  }

  /// Takes back what cannot be fixed after all; whether there was something.
  bool give_up() {
    bool gave_up = false;
    for (const VecStep& step : body_.steps) {
      // What a step writes is fixed where all that it reads is.
      const bool can = is_fixed(step.dst) && (step.a < 0 || is_fixed(step.a)) &&
                       (step.b < 0 || is_fixed(step.b)) &&
                       (step.scratch < 0 || is_fixed(step.scratch));
      if (can) continue;
      for (const int array : {step.dst, step.scratch}) gave_up = release(array) || gave_up;
    }
    return keep_what_is_written_over() || gave_up;
  }

  /// A step that stays in the body must not read an array before the last step that writes it: that
  /// one would come first.
  bool keep_what_is_written_over() {
    bool gave_up = false;
    std::vector<bool> is_read(is_fixed_.size(), false);  // by a step that stays
    for (const VecStep& step : body_.steps) {
      if (!is_fixed(step.dst)) {
        for (const int array : {step.a, step.b}) {
          if (array >= 0) is_read[static_cast<size_t>(array)] = true;
        }
        continue;
      }
      for (const int array : {step.dst, step.scratch}) {
        if (array >= 0 && is_read[static_cast<size_t>(array)]) gave_up = release(array) || gave_up;
      }
    }
    return gave_up;
  }

  const VecProgram& program_;
  const VecPart& body_;
  std::vector<bool> is_fixed_;  // by array
};

}  // namespace

VecProgram hoisted(const VecProgram& program, const std::vector<bool>& is_full) {
  return Hoist(program, is_full).program();
}

}  // namespace tilewright
