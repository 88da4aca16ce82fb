#include <rvm/weights/npy_header.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace {

const std::string kData = std::string(RVM_TEST_DATA) + "/npy/";

std::vector<std::byte> with_text(const std::string& text, int version = 1) {
  std::vector<std::byte> out = test::bytes_of("\x93NUMPY");
  out.push_back(static_cast<std::byte>(version));
  out.push_back(std::byte{0});
  if (version == 1) {
    rvm::detail::append_le(out, static_cast<std::uint16_t>(text.size()));
  } else {
    rvm::detail::append_le(out, static_cast<std::uint32_t>(text.size()));
  }
  rvm::detail::append_text(out, text);
  return out;
}

rvm::NpyHeader parse(const std::string& text, int version = 1) {
  return rvm::parse_npy_header(with_text(text, version), "file", "key");
}

std::string dict(const std::string& descr, const std::string& shape) {
  return "{'descr': " + descr + ", 'fortran_order': False, 'shape': " + shape + ", }\n";
}

}  // namespace

TEST_CASE("headers that numpy writes are read, and written byte for byte") {
  struct Case {
    std::string name;
    rvm::DType dtype;
    rvm::Shape shape;
    bool fortran_order;
    bool first_version;
  };
  const std::vector<Case> cases{{"v1_float32", rvm::DType::kFloat32, {2, 3, 4}, false, true},
                                {"v2_float64", rvm::DType::kFloat64, {2, 3, 4}, false, false},
                                {"v3_float16", rvm::DType::kFloat16, {2, 3, 4}, false, false},
                                {"fortran_float32", rvm::DType::kFloat32, {2, 3, 4}, true, true},
                                {"fortran_float64", rvm::DType::kFloat64, {2, 3, 4}, true, true},
                                {"scalar_int64", rvm::DType::kInt64, {}, false, true},
                                {"bool", rvm::DType::kBool, {3}, false, true},
                                {"empty_int16", rvm::DType::kInt16, {0, 3}, false, true},
                                {"video_uint8", rvm::DType::kUint8, {2, 4, 5, 3}, false, true},
                                {"bfloat16", rvm::DType::kBfloat16, {6}, false, false}};
  for (const Case& c : cases) {
    INFO(c.name);
    const std::vector<std::byte> bytes = test::read_file(kData + c.name + ".npy");
    const rvm::NpyHeader header = rvm::parse_npy_header(bytes, c.name, "");
    CHECK(header.dtype == c.dtype);
    CHECK(header.shape == c.shape);
    CHECK(header.fortran_order == c.fortran_order);
    CHECK(bytes.size() - header.data_offset == header.shape.elements() * size_of(header.dtype));
    CHECK(header.data_offset % 64 == 0);
    if (!c.first_version) continue;
    const std::vector<std::byte> ours = rvm::npy_header(c.dtype, c.shape, c.fortran_order);
    CHECK(ours == std::vector<std::byte>(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(ours.size())));
    CHECK(ours.size() == header.data_offset);
  }
}

TEST_CASE("a header's dictionary may be written in any way that Python reads") {
  for (const int version : {1, 2, 3}) {
    const rvm::NpyHeader header =
        parse("{ \"shape\" :( 4,\t5 ,) ,\n 'fortran_order':True,'descr':\"=f8\"}  \n", version);
    CHECK(header.dtype == rvm::DType::kFloat64);
    CHECK(header.shape == rvm::Shape{4, 5});
    CHECK(header.fortran_order);
  }
  CHECK(parse(dict("'f4'", "(3,)")).dtype == rvm::DType::kFloat32);
  CHECK(parse(dict("'|u1'", "()")).shape.rank() == 0);
  CHECK(parse(dict("'>i1'", "(3)")).dtype == rvm::DType::kInt8);
  CHECK(parse(dict("'<u4'", "(0, 18446744073709551615,)")).shape.elements() == 0);
}

TEST_CASE("every dtype survives its header, at every first extent") {
  for (const rvm::detail::NpyTypeName& type : rvm::detail::kNpyTypes) {
    const rvm::NpyHeader header = rvm::parse_npy_header(rvm::npy_header(type.dtype, {2, 9}), "", "");
    CHECK(header.dtype == type.dtype);
    CHECK(header.shape == rvm::Shape{2, 9});
  }
  const std::size_t length = rvm::npy_header(rvm::DType::kUint8, {0}).size();
  for (const std::size_t extent : {std::size_t{9}, std::size_t{1'000'000}, ~std::size_t{0}}) {
    const std::vector<std::byte> bytes = rvm::npy_header(rvm::DType::kUint8, {extent});
    CHECK(bytes.size() == length);
    CHECK(bytes.size() % 64 == 0);
    CHECK(rvm::parse_npy_header(bytes, "", "").shape[0] == extent);
  }
}

TEST_CASE("arrays that this library cannot hold are refused by what they are") {
  const auto fixture = [](const std::string& name) {
    return rvm::parse_npy_header(test::read_file(kData + name), "file", "key");
  };
  REQUIRE_THROWS_AS(fixture("object.npy"), rvm::WeightsError);
  REQUIRE_THROWS_WITH(fixture("object.npy"), "file: key: expected a numeric dtype, found Python objects");
  REQUIRE_THROWS_WITH(fixture("structured.npy"), ContainsSubstring("structured"));
  REQUIRE_THROWS_WITH(fixture("big_endian.npy"), "file: key: expected little-endian elements, found dtype '>f4'");
  REQUIRE_THROWS_WITH(parse(dict("'>f2'", "(1,)")), ContainsSubstring("found dtype '>f2'"));
  REQUIRE_THROWS_WITH(parse(dict("'<c8'", "(1,)")), ContainsSubstring("found dtype '<c8'"));
  REQUIRE_THROWS_WITH(parse(dict("''", "(1,)")), ContainsSubstring("numeric dtype"));
  REQUIRE_THROWS_WITH(parse(dict("'<f4'", "(-1,)")), ContainsSubstring("non-negative"));
  REQUIRE_THROWS_WITH(parse(dict("'<f4'", "(18446744073709551616,)")), ContainsSubstring("fits memory"));
  REQUIRE_THROWS_WITH(parse(dict("'<f4'", "(4611686018427387904, 4)")), ContainsSubstring("fits memory"));
  REQUIRE_THROWS_WITH(parse(dict("'<f4'", "(1,1,1,1,1,1,1,1,1)")), ContainsSubstring("at most 8 axes"));
}

TEST_CASE("damaged headers are refused") {
  const std::string good = dict("'<f4'", "(2, 3)");
  for (const std::string& text : {std::string(), std::string("{}"), good + "x", std::string("{'descr': '<f4'}"),
                                  std::string("{'descr': '\\x3c'}"),
                                  std::string("{'shape': (1,), 'shape': (1,), 'descr': '<f4', 'fortran_order': False}"),
                                  std::string("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}"),
                                  std::string("{'descr': '<f4', 'fortran_order': None, 'shape': (1,)}"),
                                  std::string("{'descr': '<f4', 'fortran_order': False, 'shape': (,)}"),
                                  std::string("{'descr': '<f4', 'fortran_order': False, 'shape': [1]}"),
                                  std::string("{'descr: 1"), std::string("{'descr': ")}) {
    INFO(text);
    REQUIRE_THROWS_AS(parse(text), rvm::WeightsError);
  }
  // Without its closing brace and newline, every shorter text is none.
  for (std::size_t n = 0; n + 1 < good.size(); ++n) REQUIRE_THROWS_AS(parse(good.substr(0, n)), rvm::WeightsError);

  const std::vector<std::byte> whole = rvm::npy_header(rvm::DType::kFloat32, {2, 3});
  for (std::size_t n = 0; n < whole.size(); ++n) {
    REQUIRE_THROWS_AS(rvm::parse_npy_header(std::span(whole).first(n), "", ""), rvm::WeightsError);
  }
  REQUIRE_THROWS_WITH(parse(good, 4), ContainsSubstring("found 4.0"));
  std::vector<std::byte> magic = whole;
  magic[0] = std::byte{'P'};
  REQUIRE_THROWS_WITH(rvm::parse_npy_header(magic, "", ""), ContainsSubstring("other bytes"));
  REQUIRE_THROWS_WITH(parse(good + std::string(rvm::kNpyHeaderLimit, ' '), 2),
                      ContainsSubstring("at most 65536 bytes"));
}
