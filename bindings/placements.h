// Placements in JavaScript: their texts are made and read by the core only.
#ifndef HOTROW_BINDINGS_PLACEMENTS_H_
#define HOTROW_BINDINGS_PLACEMENTS_H_

#include <napi.h>

namespace hotrow::bindings {

/// makePlacement(epoch, servers, weights) -> text
Napi::Value make_placement(const Napi::CallbackInfo& info);
/// writePlacement(epoch, servers, slots Uint16Array) -> text
Napi::Value write_placement(const Napi::CallbackInfo& info);
/// readPlacement(text) -> { epoch, servers, slotCounts, slots Uint16Array }
Napi::Value read_placement(const Napi::CallbackInfo& info);

}  // namespace hotrow::bindings

#endif  // HOTROW_BINDINGS_PLACEMENTS_H_
