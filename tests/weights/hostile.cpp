// Files that were made to do harm. Each is refused by an error that names the file, the array or member, what was
// expected and what was found; the tests beside this one have the same of files that were merely damaged.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <rvm/model/config.hpp>
#include <rvm/weights/load.hpp>
#include <rvm/weights/npy.hpp>

#include "support/allocations.hpp"
#include "support/archive.hpp"
#include "support/catch.hpp"
#include "support/fixtures.hpp"
#include "support/temp_dir.hpp"

namespace {

using Bytes = std::vector<std::byte>;
using rvm::detail::append_bytes;
using rvm::detail::append_le;
using rvm::detail::append_text;
using rvm::detail::ZipMember;
using test::Archive;
using test::npy_of;
using test::stored;

/// What is wrong with a weight file of which all is read.
std::string refusal(Bytes file) {
  try {
    const rvm::Weights weights = rvm::load_weights(std::move(file), "file");
    for (const std::string& key : weights.keys()) {
      rvm::Tensor<float> values(weights.at(key).shape());
      weights.at(key).copy_to(values.span());
    }
  } catch (const rvm::WeightsError& error) {
    CHECK(error.file() == "file");
    return error.what();
  }
  return "read";
}

/// The same of one .npy file.
std::string npy_refusal(const std::string& text, std::size_t elements = 0, int version = 1) {
  Bytes file = test::bytes_of("\x93NUMPY");
  append_le(file, static_cast<std::uint8_t>(version));
  append_le(file, std::uint8_t{0});
  if (version == 1) {
    append_le(file, static_cast<std::uint16_t>(text.size()));
  } else {
    append_le(file, static_cast<std::uint32_t>(text.size()));
  }
  append_text(file, text);
  file.resize(file.size() + elements);
  // Alone, and in an archive, where the key is named too.
  const std::string in_archive = refusal(Archive().add(stored("key.npy", file), file).finish());
  try {
    rvm::open_npy(std::move(file), "file");
  } catch (const rvm::WeightsError& error) {
    CHECK("file: key: " + std::string(error.what()).substr(6) == in_archive);
    return error.what();
  }
  CHECK(in_archive == "read");
  return "read";
}

std::string dict(const std::string& descr, const std::string& shape) {
  return "{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + ", }\n";
}

Bytes safetensors(const std::string& header, std::size_t size) {
  Bytes file;
  append_le(file, std::uint64_t{header.size()});
  append_text(file, header);
  file.resize(file.size() + size);
  return file;
}

std::string tensor(const std::string& key, const std::string& shape, const std::string& begin, const std::string& end) {
  return "\"" + key + R"(":{"dtype":"U8","shape":)" + shape + ",\"data_offsets\":[" + begin + "," + end + "]}";
}

void put(Bytes& file, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i, value >>= 8) file[at + i] = static_cast<std::byte>(value);
}

/// A small archive: a.npy and b.npy, stored.
Bytes two_members() {
  const Bytes npy = npy_of(1, 2);
  return Archive().add(stored("a.npy", npy), npy).add(stored("b.npy", npy), npy).finish();
}

}  // namespace

TEST_CASE("hostile: a wrong magic") {
  CHECK(refusal(test::bytes_of("MZ\x90 and so on")) ==
        "file: expected a .npz or safetensors file, found a file that begins otherwise");
  CHECK(refusal({}) == "file: expected a .npz or safetensors file, found an empty file");
  Bytes npy = npy_of(1, 2);
  npy[0] = std::byte{0x92};
  REQUIRE_THROWS_WITH(rvm::open_npy(npy, "file"), "file: expected a .npy header, found other bytes");
  CHECK(refusal(Archive().add(stored("a.npy", npy), npy).finish()) ==
        "file: a: expected a .npy header, found other bytes");
}

TEST_CASE("hostile: a file cut off at any byte") {
  for (const Bytes& whole :
       {two_members(), test::read_file(test::data("npy/stored.npz")), test::read_file(test::data("npy/deflated.npz")),
        safetensors("{" + tensor("a", "[3]", "0", "3") + "," + tensor("b", "[2]", "3", "5") + "}", 5)}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size, whole.size());
      Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      REQUIRE_THAT(refusal(std::move(cut)), ContainsSubstring("file: ") && ContainsSubstring("expected"));
    }
  }
  const Bytes npy = npy_of(1, 2);
  for (std::size_t size = 0; size < npy.size(); ++size) {
    Bytes cut(npy.begin(), npy.begin() + static_cast<std::ptrdiff_t>(size));
    REQUIRE_THROWS_AS(rvm::open_npy(std::move(cut), "file"), rvm::WeightsError);
  }
}

TEST_CASE("hostile: a CRC that is not the member's") {
  const Bytes npy = npy_of(1, 2);
  const Bytes packed = test::deflated(npy);
  for (ZipMember member : {stored("a.npy", npy), test::packed_member("a.npy", npy, packed)}) {
    const std::string found = std::to_string(member.crc32);
    member.crc32 = 7;
    CHECK(refusal(Archive().add(member, member.method == 0 ? npy : packed).finish()) ==
          "file: a: expected CRC-32 7, found " + found + ": the file is damaged");
  }
}

TEST_CASE("hostile: a directory that lies about a size") {
  const Bytes npy = npy_of(1, 2);
  const ZipMember local = stored("a.npy", npy);
  const std::string others = "file: a: expected the same method, CRC and sizes as in the ZIP directory, found others";
  for (const int by : {-4, 4}) {
    ZipMember entry = local;
    entry.size += static_cast<std::uint64_t>(by);
    CHECK(refusal(Archive().add(local, entry, npy).finish()) == others);
  }
  ZipMember shorter = local;
  shorter.size = shorter.compressed_size -= 4;
  CHECK(refusal(Archive().add(local, shorter, npy).finish()) == others);
  // Where local header and directory lie alike, what is in the member tells.
  CHECK(refusal(Archive().add(shorter, npy).finish()) ==
        "file: a: expected 8 bytes for float32 of shape (2,), found 4 bytes");
  ZipMember unlike = local;
  unlike.size += 4;
  CHECK(refusal(Archive().add(unlike, npy).finish()) ==
        "file: a: expected " + std::to_string(npy.size() + 4) + " stored bytes, found " + std::to_string(npy.size()));
  // And the directory about its own.
  Archive archive;
  archive.add(local, npy);
  CHECK_THAT(refusal(archive.finish(0, 1)), ContainsSubstring("file: expected a ZIP directory that ends at byte"));
  CHECK_THAT(refusal(archive.finish(0, ~std::uint64_t{0})), ContainsSubstring("a ZIP directory that ends at byte"));
  CHECK_THAT(refusal(archive.finish(1)), ContainsSubstring("file: expected 2 members, found a directory of 51 bytes") ||
                                             ContainsSubstring("entry 1 of the ZIP directory"));
}

TEST_CASE("hostile: a directory that lies about an offset") {
  const Bytes npy = npy_of(1, 2);
  ZipMember entry = stored("a.npy", npy);
  entry.compressed_size = entry.size -= 1;  // so that it still fits
  entry.offset = 1;
  CHECK(refusal(Archive().add(entry, entry, npy).finish()) == "file: a: expected a ZIP member, found other bytes");
  entry.offset = 1'000'000;
  CHECK_THAT(
      refusal(Archive().add(entry, entry, npy).finish()),
      ContainsSubstring("file: a.npy: expected") && ContainsSubstring("between byte 1000000 and the ZIP directory"));
  entry.offset = ~std::uint64_t{0} - 1;
  CHECK_THAT(refusal(Archive().add(entry, entry, npy).finish()), ContainsSubstring("file: a.npy: expected"));
  Archive archive;
  archive.add(stored("a.npy", npy), npy);
  CHECK_THAT(refusal(archive.finish(0, 0, 1)), ContainsSubstring("file: expected a ZIP directory that ends at byte"));
  CHECK_THAT(refusal(archive.finish(0, 0, ~std::uint64_t{0})),
             ContainsSubstring("file: expected a ZIP directory that ends at byte"));
}

TEST_CASE("hostile: another member where the directory says") {
  const Bytes npy = npy_of(1, 2);
  ZipMember b = stored("b.npy", npy);
  CHECK(refusal(Archive().add(stored("a.npy", npy), b, npy).finish()) ==
        "file: b: expected the same name as in the ZIP directory, found another");
}

TEST_CASE("hostile: members that overlap") {
  const Bytes npy = npy_of(1, 2);
  // Two entries of one member: how a small file becomes large ones.
  Archive shared;
  shared.add(stored("a.npy", npy), npy).add_entry(stored("b.npy", npy));
  CHECK_THAT(refusal(shared.finish()),
             ContainsSubstring(".npy: expected") && ContainsSubstring("found no room: members overlap"));
  // A member that ends inside of the next. (What is said of it is not all that precedes its bytes.)
  Archive reaching;
  ZipMember a = stored("a.npy", npy);
  const std::size_t extra = 20;
  a.size = a.compressed_size += extra + 1;
  reaching.add(a, npy).add(stored("b.npy", npy), npy);
  CHECK(refusal(reaching.finish()) == "file: a.npy: expected " + std::to_string(npy.size() + extra + 1) +
                                          " bytes between byte 0 and member b.npy, found no room: members overlap");
  // Or would, by its local header's own account of what precedes the bytes.
  Archive pushed;
  pushed.add(stored("a.npy", npy), npy);
  Bytes file = pushed.finish();
  put(file, 28, 20 + 1, 2);
  CHECK(refusal(file) == "file: a: expected a whole ZIP member, found one that reaches into the next");
}

TEST_CASE("hostile: a member twice") {
  const Bytes npy = npy_of(1, 2);
  for (const char* second : {"a.npy", "a"}) {
    CHECK(refusal(Archive().add(stored("a.npy", npy), npy).add(stored(second, npy), npy).finish()) ==
          "file: a: expected every key once, found it twice");
  }
}

TEST_CASE("hostile: a ZIP bomb") {
  Bytes npy = npy_of(1, 2);
  const Bytes honest = test::deflated(npy);
  // Unpacks beyond what the directory says.
  npy.resize(npy.size() + 60'000);
  const Bytes packed = test::deflated(npy);
  ZipMember member = test::packed_member("a.npy", npy, packed);
  const std::size_t said = npy.size() - 60'000;
  member.size = said;
  CHECK(refusal(Archive().add(member, packed).finish()) ==
        "file: a: expected " + std::to_string(said) + " unpacked bytes, found more");
  // Unpacks beyond its declared shape, as the directory says it will.
  member.size = npy.size();
  CHECK(refusal(Archive().add(member, packed).finish()) ==
        "file: a: expected 8 bytes for float32 of shape (2,), found 60008 bytes");
  // Says that it will be larger than such bytes can be.
  member.size = rvm::kDeflateLimit * (packed.size() + 1);
  CHECK(refusal(Archive().add(member, packed).finish()) ==
        "file: a: expected a size that " + std::to_string(packed.size()) + " bytes can unpack to, found " +
            std::to_string(member.size));
  // Could be that large, but is not: nothing is taken for what it says.
  member.size = rvm::kDeflateLimit * packed.size();
  Bytes file = Archive().add(member, packed).finish();
  const std::size_t most = 4 * file.size();
  const std::size_t before = test::allocated_bytes();
  CHECK(refusal(std::move(file)) ==
        "file: a: expected " + std::to_string(member.size) + " unpacked bytes, found " + std::to_string(npy.size()));
  CHECK(test::allocated_bytes() - before < most);
}

TEST_CASE("hostile: ZIP64 numbers of a member that contradict") {
  const Bytes npy = npy_of(1, 2);
  const ZipMember member = stored("a.npy", npy);
  const auto with_field = [&](std::uint32_t size, std::uint32_t packed, std::uint32_t offset, const Bytes& extra) {
    Bytes file = rvm::detail::zip_local_header(member);
    append_bytes(file, npy);
    const std::size_t directory = file.size();
    rvm::detail::append_zip_entry(file, member);
    put(file, directory + 24, size, 4);
    put(file, directory + 20, packed, 4);
    put(file, directory + 42, offset, 4);
    put(file, directory + 30, extra.size(), 2);
    append_bytes(file, extra);
    append_bytes(file, rvm::detail::zip_end(1, file.size() - directory, directory));
    return refusal(file);
  };
  const auto field = [](const std::vector<std::uint64_t>& numbers) {
    Bytes extra;
    append_le(extra, rvm::detail::kZip64Extra);
    append_le(extra, static_cast<std::uint16_t>(8 * numbers.size()));
    for (const std::uint64_t number : numbers) append_le(extra, number);
    return extra;
  };
  const auto size = static_cast<std::uint32_t>(npy.size());
  const std::uint32_t wide = rvm::detail::kZip32;
  CHECK(with_field(size, size, 0, {}) == "read");
  CHECK(with_field(wide, wide, wide, field({size, size, 0})) == "read");
  CHECK(with_field(wide, size, 0, field({size})) == "read");
  CHECK(with_field(wide, size, 0, field({size, size, 0})) == "read");
  CHECK(with_field(wide, size, 0, field({size, size + 1U, 0})) ==
        "file: a.npy: expected ZIP64 numbers that agree with the others, found " + std::to_string(size + 1) +
            " beside " + std::to_string(size));
  CHECK(with_field(wide, wide, 0, field({size, size, 7})) ==
        "file: a.npy: expected ZIP64 numbers that agree with the others, found 7 beside 0");
  const std::string missing =
      "file: a.npy: expected 64-bit sizes and offset where 32 bits do not do, found a ZIP64 field without them";
  CHECK(with_field(wide, size, 0, {}) == missing);
  CHECK(with_field(wide, wide, 0, field({size})) == missing);
  CHECK(with_field(size, size, 0, field({size})) ==
        "file: a.npy: expected 64-bit sizes and offset where 32 bits do not do, and nothing more, found more");
  Bytes twice = field({size});
  append_bytes(twice, field({size}));
  CHECK(with_field(wide, size, 0, twice) == "file: a.npy: expected one ZIP64 field, found two");
  Bytes cut = field({size});
  cut.pop_back();
  CHECK(with_field(wide, size, 0, cut) == "file: a.npy: expected whole extra fields, found one cut off");
  CHECK_THAT(with_field(wide, wide, wide, field({size, size, ~std::uint64_t{0}})), ContainsSubstring("no room"));
}

TEST_CASE("hostile: ZIP64 numbers of the directory that contradict") {
  const Bytes whole = two_members();
  const std::size_t end = whole.size() - rvm::detail::kZipEndSize;
  const auto number = [&](std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(whole[end + at + i]);
    return value;
  };
  const std::uint64_t count = number(10, 2);
  const std::uint64_t size = number(12, 4);
  const std::uint64_t offset = number(16, 4);
  struct Wide {
    std::uint64_t record_size = rvm::detail::kZip64EndSize - 12;
    std::uint64_t count_here, count, size, offset, at;
    std::uint32_t disks = 1;
  };
  const auto with_record = [&](const Wide& wide) {
    Bytes file(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(end));
    append_le(file, rvm::detail::kZip64End);
    append_le(file, wide.record_size);
    append_le(file, std::uint32_t{45U << 16 | 45U});
    append_le(file, std::uint64_t{0});
    for (const std::uint64_t value : {wide.count_here, wide.count, wide.size, wide.offset}) append_le(file, value);
    append_le(file, rvm::detail::kZip64Locator);
    append_le(file, std::uint32_t{0});
    append_le(file, wide.at);
    append_le(file, wide.disks);
    append_bytes(file, std::span(whole).subspan(end));
    return file;
  };
  const Wide right{.count_here = count, .count = count, .size = size, .offset = offset, .at = end};
  const auto changed = [&](std::uint64_t Wide::*member, std::uint64_t value) {
    Wide wide = right;
    wide.*member = value;
    return refusal(with_record(wide));
  };
  CHECK(refusal(with_record(right)) == "read");
  const std::string contradiction = "file: expected ZIP64 numbers that agree with the others, found ";
  CHECK(changed(&Wide::count, 3) == contradiction + "3 beside 2");
  CHECK(changed(&Wide::count_here, 1) == contradiction + "1 beside 2");
  CHECK(changed(&Wide::size, size + 1) == contradiction + std::to_string(size + 1) + " beside " + std::to_string(size));
  CHECK(changed(&Wide::offset, 0) == contradiction + "0 beside " + std::to_string(offset));
  CHECK(changed(&Wide::record_size, 45) == "file: expected a ZIP64 directory end, found other bytes");
  CHECK(changed(&Wide::record_size, ~std::uint64_t{0}) == "file: expected a ZIP64 directory end, found other bytes");
  CHECK(changed(&Wide::at, end - 1) == "file: expected a ZIP64 directory end, found other bytes");
  CHECK(changed(&Wide::at, ~std::uint64_t{0} - 8) ==
        "file: expected the ZIP64 directory end inside the file, found another place");
  Wide split = right;
  split.disks = 2;
  CHECK(refusal(with_record(split)) == "file: expected a ZIP archive in one piece, found one of several disks");
  // Saturated numbers are replaced, and then have to be right.
  Bytes saturated = with_record(right);
  put(saturated, saturated.size() - 10, rvm::detail::kZip32, 4);
  CHECK(refusal(saturated) == "read");
  Wide far = right;
  far.size = ~std::uint64_t{0} - offset + 1;
  saturated = with_record(far);
  put(saturated, saturated.size() - 10, rvm::detail::kZip32, 4);
  CHECK_THAT(refusal(saturated), ContainsSubstring("file: expected a ZIP directory that ends at byte"));
}

TEST_CASE("hostile: local ZIP64 numbers that contradict the directory") {
  const Bytes npy = npy_of(1, 2);
  Bytes file = Archive().add(stored("a.npy", npy), npy).finish();
  const std::size_t field = rvm::detail::kZipLocalSize + 5 + 4;
  put(file, field, npy.size() + 1, 8);
  CHECK(refusal(file) == "file: a: expected the same method, CRC and sizes as in the ZIP directory, found others");
  put(file, field - 4, 2, 2);  // no ZIP64 field, though the sizes are saturated
  CHECK(refusal(file) ==
        "file: a: expected 64-bit sizes and offset where 32 bits do not do, found a ZIP64 field without them");
}

TEST_CASE("hostile: member names that lead elsewhere") {
  const Bytes npy = npy_of(1, 2);
  const auto named = [&](const std::string& name) { return refusal(Archive().add(stored(name, npy), npy).finish()); };
  for (const char* name : {"../a.npy", "a/../../b.npy", "a/..", "..", "/etc/a.npy", "/", "C:/a.npy", "a\\..\\b.npy"}) {
    CHECK(named(name) == "file: " + std::string(name) + ": expected a relative member name without .., found another");
  }
  CHECK(named("a\nb\x7f.npy") == "file: a?b?.npy: expected a relative member name without .., found another");
  CHECK(named("") == "file: expected a relative member name without .., found another");
  for (const char* name : {"a..b/c.npy", "..a.npy", "a/b..", ".npy", "a/./b.npy"}) CHECK(named(name) == "read");

  const test::TempDir dir;
  rvm::NpzWriter writer(dir / "a.npz");
  REQUIRE_THROWS_WITH(writer.add("../a", rvm::Tensor<float>({1})),
                      ContainsSubstring("a.npz: expected a relative path as key, found ../a"));
  REQUIRE_THROWS_AS(writer.add("/a", rvm::Tensor<float>({1})), rvm::ArgumentError);
}

TEST_CASE("hostile: a .npy header beyond 64 KiB") {
  const std::string good = dict("'<f4'", "(0,)");
  for (const int version : {2, 3}) {
    const std::string fits = good + std::string(rvm::kNpyHeaderLimit - good.size(), ' ');
    CHECK(npy_refusal(fits, 0, version) == "read");
    CHECK(npy_refusal(fits + " ", 0, version) == "file: expected a .npy header of at most 65536 bytes, found 65537");
  }
}

TEST_CASE("hostile: a .npy header that is not the literal it should be") {
  CHECK(npy_refusal("__import__('os').system('true')") == "file: expected '{' in the .npy header, found '_'");
  CHECK(npy_refusal("{'descr': '<f4', 'fortran_order': False, 'shape': __import__('os')}") ==
        "file: expected '(' in the .npy header, found '_'");
  CHECK(npy_refusal("{'descr': '<f4', 'fortran_order': False, 'shape': (2**3,)}") ==
        "file: expected ')' in the .npy header, found '*'");
  CHECK(npy_refusal("{'descr': '<f4', 'fortran_order': 0, 'shape': ()}") ==
        "file: expected True or False for 'fortran_order', found '0, 'shape': ()}'");
  CHECK(npy_refusal(R"({'descr': '\x3cf4', 'fortran_order': False, 'shape': ()})") ==
        R"(file: expected a .npy header without escapes, found '\x3cf4')");
  CHECK(npy_refusal(dict("'<f4'", "()") + "import os") ==
        "file: expected a .npy header, found text behind the dictionary");
  CHECK(npy_refusal("{'descr': '<f4', 'descr': '<f8'}") ==
        "file: expected 'descr', 'fortran_order' and 'shape', once each, found 'descr'");
  CHECK(npy_refusal("{'descr': '<f4'}") ==
        "file: expected 'descr', 'fortran_order' and 'shape', once each, found a .npy header without one of them");
  CHECK(npy_refusal("{'descr") == "file: expected a .npy header, found a string without end");
  CHECK(npy_refusal(std::string(1000, '{')) ==
        "file: expected a quoted string in the .npy header, found '" + std::string(40, '{') + "'");
}

TEST_CASE("hostile: a negative shape") {
  CHECK(npy_refusal(dict("'<f4'", "(-1,)")) == "file: expected a non-negative integer in 'shape', found '-1,), }?'");
  CHECK(refusal(safetensors("{" + tensor("a", "[-1]", "0", "0") + "}", 0)) ==
        "file: a: expected whole numbers in 'shape', found number");
}

TEST_CASE("hostile: a shape whose product is beyond 2^64") {
  CHECK(npy_refusal(dict("'|u1'", "(4294967296, 4294967296)")) ==
        "file: expected an array that fits memory, found shape (4294967296, 4294967296)");
  CHECK(npy_refusal(dict("'<f8'", "(2305843009213693952,)")) ==
        "file: expected an array that fits memory, found shape (2305843009213693952,)");
  CHECK(npy_refusal(dict("'|u1'", "(18446744073709551616,)")) ==
        "file: expected an extent that fits memory, found '18446744073709551616,), }?'");
  CHECK(refusal(safetensors("{" + tensor("a", "[4294967296,4294967296]", "0", "0") + "}", 0)) ==
        "file: a: expected more bytes for U8 of shape (4294967296, 4294967296), found 0");
  CHECK(refusal(safetensors("{" + tensor("a", "[18446744073709551616]", "0", "0") + "}", 0)) ==
        "file: a: expected whole numbers in 'shape', found number");
}

TEST_CASE("hostile: an empty shape") {
  // An array without elements is one; but it has no bytes, and no size of a model can be read from it.
  CHECK(npy_refusal(dict("'<f4'", "(0, 3)")) == "read");
  CHECK(npy_refusal(dict("'<f4'", "(0, 3)"), 4) == "file: expected 0 bytes for float32 of shape (0, 3), found 4 bytes");
  CHECK(npy_refusal(dict("'<f4'", "()"), 0) == "file: expected 4 bytes for float32 of shape (), found 0 bytes");
  CHECK(refusal(safetensors("{" + tensor("a", "[0]", "0", "1") + "}", 1)) ==
        "file: a: expected 0 bytes for U8 of shape (0,), found 1");
  std::vector<std::pair<std::string, rvm::Tensor<float>>> arrays;
  arrays.emplace_back("cls_token", rvm::Tensor<float>({1, 0}));
  const rvm::WeightReader reader(rvm::Weights::from_tensors("file", std::move(arrays)));
  REQUIRE_THROWS_WITH(rvm::read_config(reader), "file: cls_token: expected elements, found shape (1, 0)");
}

TEST_CASE("hostile: Python objects") {
  for (const char* code : {"'|O'", "'O'", "'|O8'"}) {
    CHECK(npy_refusal(dict(code, "(1,)"), 8) == "file: expected a numeric dtype, found Python objects");
  }
}

TEST_CASE("hostile: a structured dtype") {
  CHECK(npy_refusal(dict("[('a', '<f4'), ('b', '|O')]", "(1,)"), 12) ==
        "file: expected a numeric dtype, found a structured one");
}

TEST_CASE("hostile: big-endian elements") {
  CHECK(npy_refusal(dict("'>f4'", "(1,)"), 4) == "file: expected little-endian elements, found dtype '>f4'");
}

TEST_CASE("hostile: a safetensors header beyond 100 MB") {
  Bytes file = safetensors("{}", 0);
  put(file, 0, rvm::kSafetensorsHeaderLimit + 1, 8);
  CHECK(refusal(file) == "file: expected a safetensors header of at most 100 MB, found 100000001 bytes");
  put(file, 0, ~std::uint64_t{0}, 8);
  CHECK(refusal(file) == "file: expected a safetensors header of at most 100 MB, found 18446744073709551615 bytes");
  put(file, 0, rvm::kSafetensorsHeaderLimit, 8);
  CHECK(refusal(file) == "file: expected a safetensors header of 100000000 bytes, found the end of the file");
}

TEST_CASE("hostile: tensors outside of a safetensors file") {
  CHECK(refusal(safetensors("{" + tensor("a", "[9]", "0", "9") + "}", 4)) ==
        "file: expected 9 bytes of tensors, found 4");
  CHECK_THAT(refusal(safetensors("{" + tensor("a", "[1]", "18446744073709551614", "18446744073709551615") + "}", 4)),
             ContainsSubstring("file: a: expected bytes from 0 on, found from 18446744073709551614"));
  CHECK(refusal(safetensors("{" + tensor("a", "[1]", "4", "3") + "}", 4)) ==
        "file: a: expected 'data_offsets' of a beginning and an end, found others");
}

TEST_CASE("hostile: tensors that overlap") {
  CHECK(refusal(safetensors("{" + tensor("a", "[3]", "0", "3") + "," + tensor("b", "[2]", "2", "4") + "}", 4)) ==
        "file: b: expected bytes from 3 on, found from 2: tensors overlap");
  CHECK(refusal(safetensors("{" + tensor("a", "[4]", "0", "4") + "," + tensor("b", "[4]", "0", "4") + "}", 4)) ==
        "file: b: expected bytes from 4 on, found from 0: tensors overlap");
}

TEST_CASE("hostile: a hole between tensors") {
  CHECK(refusal(safetensors("{" + tensor("a", "[1]", "0", "1") + "," + tensor("b", "[2]", "2", "4") + "}", 4)) ==
        "file: b: expected bytes from 1 on, found from 2: a hole between tensors");
  CHECK(refusal(safetensors("{" + tensor("a", "[1]", "0", "1") + "}", 4)) ==
        "file: expected 1 bytes of tensors, found 4");
}

TEST_CASE("hostile: a shape that is not that of its bytes") {
  CHECK(refusal(safetensors("{" + tensor("a", "[2,2]", "0", "3") + "}", 3)) ==
        "file: a: expected 4 bytes for U8 of shape (2, 2), found 3");
}

TEST_CASE("hostile: a key twice in a safetensors header, or in a tensor's description") {
  CHECK(refusal(safetensors("{" + tensor("a", "[1]", "0", "1") + "," + tensor("a", "[1]", "1", "2") + "}", 2)) ==
        "file: a: expected every key once, found it twice");
  CHECK(refusal(safetensors(R"({"a":{"dtype":"U8","shape":[1],"shape":[2],"data_offsets":[0,2]}})", 2)) ==
        "file: shape: expected every key once, found it twice");
}

TEST_CASE("hostile: text from the file does not become more than a line of a message") {
  const std::string message =
      refusal(safetensors(R"({"\u001b[31m\n":{"dtype":")" + std::string(5000, 'x') + "\"}}", 0));
  CHECK(message == "file: ?[31m?: expected a numeric dtype, found " + std::string(300, 'x') + "...");
}

TEST_CASE("hostile: NaN or infinite weights") {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto reader_of = [](float a, float b) {
    const Bytes npy = npy_of(a, b);
    return rvm::load_weights(Archive().add(stored("a/b.npy", npy), npy).finish(), "file");
  };
  const auto read = [](const rvm::Weights& weights) { return rvm::WeightReader(weights).read("a/b", {2}); };
  CHECK(read(reader_of(std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min()))(0) ==
        std::numeric_limits<float>::max());
  REQUIRE_THROWS_AS(read(reader_of(nan, 1)), rvm::WeightsError);
  REQUIRE_THROWS_WITH(read(reader_of(nan, 1)), "file: a/b: expected finite values, found NaN in element 0");
  REQUIRE_THROWS_WITH(read(reader_of(1, infinity)), "file: a/b: expected finite values, found infinity in element 1");
  REQUIRE_THROWS_WITH(read(reader_of(1, -infinity)), "file: a/b: expected finite values, found infinity in element 1");
  const rvm::Weights allowed = reader_of(1, infinity).allow_non_finite();
  CHECK(allowed.non_finite_allowed());
  CHECK(read(allowed)(1) == infinity);

  // A double beyond float's range becomes infinite.
  Bytes npy = rvm::npy_header(rvm::DType::kFloat64, {2});
  for (const double value : {1e300, 0.0}) append_le(npy, std::bit_cast<std::uint64_t>(value));
  const rvm::Weights wide = rvm::load_weights(Archive().add(stored("a/b.npy", npy), npy).finish(), "file");
  REQUIRE_THROWS_WITH(read(wide), "file: a/b: expected finite values, found infinity in element 0");
}
