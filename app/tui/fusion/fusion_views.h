#pragma once

#include <string>

#include "app/tui/canvas.h"
#include "app/tui/state.h"

namespace tilewright {

/// The panes of the Fusion screen.

std::string fusion_graph_title(const State& state);
void draw_fusion_graph(const State& state, Canvas canvas);
std::string fusion_graph_legend(const State& state, const Rect& inside);
std::string fusion_kernels_title(const State& state);
void draw_fusion_kernels(const State& state, Canvas canvas);
std::string fusion_costs_title(const State& state);
void draw_fusion_costs(const State& state, Canvas canvas);
std::string fusion_why_title(const State& state);
void draw_fusion_why(const State& state, Canvas canvas);
std::string fusion_form_title(const State& state);
void draw_fusion_form(const State& state, Canvas canvas);

/// Rows of the panes that are scrolled.
int fusion_cost_rows(const State& state);
int fusion_why_rows(const State& state);

}  // namespace tilewright
