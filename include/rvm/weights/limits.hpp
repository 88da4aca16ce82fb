#pragma once

#include <cstddef>
#include <cstdint>

/// \file
/// What the readers of weight files take at most. A file that asks for more is refused with a WeightsError before
/// memory is taken or work is done for it.
///
/// | what                                     | at most                                          |
/// |------------------------------------------|--------------------------------------------------|
/// | axes of an array                         | 8 (Shape::kMaxRank)                              |
/// | elements and bytes of an array           | what std::size_t counts, and what the file holds |
/// | header text of a .npy                    | 64 KiB (kNpyHeaderLimit)                         |
/// | JSON header of a safetensors file        | 100 MB (kSafetensorsHeaderLimit)                 |
/// | nesting in it                            | 4 levels (kSafetensorsDepthLimit)                |
/// | a deflated member, unpacked              | 1032 times its packed bytes (kDeflateLimit)      |
/// | blocks of a model's encoder or core      | 1000 (kBlockLimit)                               |
///
/// Stored arrays are used in place: opening a file takes memory for its directory alone, and reading an array takes
/// memory for that array alone. A deflated member is unpacked one at a time, and only after its .npy header has agreed
/// with its size; so one array takes at most kDeflateLimit times the file.
namespace rvm {

/// The longest header text of a .npy file, in bytes, whatever the version of the format.
inline constexpr std::size_t kNpyHeaderLimit = 64 * 1024;

/// The longest header of a safetensors file, in bytes; the format's own limit. What it describes takes a few times
/// the text while the file is opened.
inline constexpr std::uint64_t kSafetensorsHeaderLimit = 100'000'000;

/// How deep that header nests at most.
inline constexpr std::size_t kSafetensorsDepthLimit = 4;

/// Bytes that one deflated byte can become: 258 from 2 bits.
inline constexpr std::uint64_t kDeflateLimit = 1032;

/// Blocks of one transformer of a model; keys that name later ones are none of the model's.
inline constexpr std::size_t kBlockLimit = 1000;

}  // namespace rvm
