// .npy files: what is written reads back, Fortran order becomes strides, and no header is believed.
#include "tools/einc/Npy.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace ein;
using namespace einc;

namespace {

/// A folder that goes away with the test.
class NpyTest : public testing::Test {
protected:
  std::filesystem::path folder;

  void SetUp() override {
    std::string pattern = testing::TempDir() + "/ein-npy-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string write(const std::string &bytes) {
    std::string path = folder / "a.npy";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
};

/// A file of version `major`.0 with this dictionary and `dataBytes` bytes of data.
std::string fileWith(const std::string &dictionary, size_t dataBytes, char major = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += {major, '\0'};
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i) bytes += static_cast<char>(dictionary.size() >> (8 * i) & 0xff);
  return bytes + dictionary + std::string(dataBytes, '\0');
}

Expected<NpyHeader> parse(const std::string &bytes) { return parseNpyHeader(bytes, bytes.size(), "a.npy"); }

std::string messageOf(const std::string &bytes) {
  auto header = parse(bytes);
  return header ? "accepted as " + header->type.str() : header.error().message;
}

TEST_F(NpyTest, WhatIsWrittenReadsBack) {
  std::vector<TensorType> types = {{DType::F32, {}},        {DType::F64, {}},     {DType::F32, {5}},
                                   {DType::F64, {3, 4, 5}}, {DType::F32, {2, 0}}, {DType::F32, {1, 1, 7}}};
  for (size_t t = 0; t < kDTypes.size(); ++t) types.push_back({static_cast<DType>(t), {2, 3}});
  for (const TensorType &type : types) {
    auto tensor = HostTensor::allocate(type);
    ASSERT_TRUE(tensor);
    size_t bytes = static_cast<size_t>(type.numElements() * byteSize(type.dtype));
    for (size_t i = 0; i < bytes; ++i) static_cast<unsigned char *>(tensor->view.data)[i] = (37 * i + 11) & 0xff;
    std::string path = folder / "a.npy";
    ASSERT_TRUE(writeNpy(path, tensor->view));
    auto back = readNpy(path);
    ASSERT_TRUE(back) << back.error().render();
    EXPECT_EQ(back->view.type, type);
    EXPECT_EQ(std::memcmp(back->view.data, tensor->view.data, bytes), 0) << type.str();
    EXPECT_EQ(std::filesystem::file_size(path) % 64, bytes % 64) << "the array starts at a multiple of 64";
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1) << "temporary files are left over";
}

TEST_F(NpyTest, FortranOrderBecomesStrides) {
  std::string bytes = fileWith("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }\n", 0);
  for (double value : {0., 10., 1., 11., 2., 12.}) bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
  auto tensor = readNpy(write(bytes));
  ASSERT_TRUE(tensor) << tensor.error().render();
  EXPECT_EQ(tensor->view.type.str(), "f64[2,3]{1,2}");
  const double *data = static_cast<const double *>(tensor->view.data);
  const auto &strides = tensor->view.type.strides;
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t j = 0; j < 3; ++j) EXPECT_EQ(data[i * strides[0] + j * strides[1]], 10. * i + j);
}

TEST_F(NpyTest, FortranOrderOfAVectorIsRowMajor) {
  EXPECT_EQ(messageOf(fileWith("{'descr': '<f4', 'fortran_order': True, 'shape': (3, 1)}", 12)),
            "accepted as f32[3,1]");
}

TEST_F(NpyTest, AcceptsEveryVersionAndSpelling) {
  std::string dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }  \n";
  for (char major : {'\1', '\2', '\3'}) EXPECT_EQ(messageOf(fileWith(dictionary, 12, major)), "accepted as f32[3]");
  EXPECT_EQ(messageOf(fileWith("{'shape':(),'fortran_order':False,'descr':'<f8'}", 8)), "accepted as f64[]");
}

TEST_F(NpyTest, NamesTheDtypeItRefuses) {
  for (std::string dtype : {">f4", "<f16", "<U4", "|O", "<V4"}) {
    auto header = parse(fileWith("{'descr': '" + dtype + "', 'fortran_order': False, 'shape': (1,)}", 4));
    ASSERT_FALSE(header);
    EXPECT_EQ(header.error().code, ErrorCode::DTypeMismatch);
    EXPECT_EQ(header.error().message, "'a.npy' holds dtype '" + dtype + "', which is not accepted");
    EXPECT_NE(header.error().help.find("little-endian"), std::string::npos);
  }
  EXPECT_EQ(messageOf(fileWith("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4)),
            "'a.npy' holds a structured dtype, which is not accepted");
}

TEST_F(NpyTest, RefusesSizesThatTheFileDoesNotHave) {
  auto shape = [](const std::string &text, size_t bytes) {
    return fileWith("{'descr': '<f4', 'fortran_order': False, 'shape': " + text + "}", bytes);
  };
  EXPECT_EQ(messageOf(shape("(2, 3)", 24)), "accepted as f32[2,3]");
  for (const std::string &bytes :
       {shape("(2, 3)", 23), shape("(2, 3)", 25), shape("(1000000000000,)", 4), shape("(4611686018427387904,)", 0),
        shape("(4294967296, 4294967296)", 0), shape("(9223372036854775807, 9223372036854775807, 0)", 0),
        shape("(99999999999999999999,)", 0), shape("(-1,)", 0)})
    EXPECT_FALSE(parse(bytes)) << messageOf(bytes);
  std::string many = "(";
  for (int i = 0; i < 100; ++i) many += "1, ";
  EXPECT_FALSE(parse(shape(many + ")", 4)));
}

TEST_F(NpyTest, RefusesMalformedHeaders) {
  for (std::string dictionary : {
           "",
           "{}",
           "{'descr': '<f4', 'fortran_order': False}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (1)x}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
           "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
           "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
           "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} trailing",
           "{'descr': '<f4, 'fortran_order': False, 'shape': (1,)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (1,,)}",
       })
    EXPECT_FALSE(parse(fileWith(dictionary, 4))) << dictionary;
}

/// Every prefix of a good file is refused, and none is read beyond its end.
TEST_F(NpyTest, RefusesTruncatedFiles) {
  std::string whole = fileWith("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", 8);
  ASSERT_TRUE(parse(whole));
  for (size_t size = 0; size < whole.size(); ++size) {
    std::string part = whole.substr(0, size);
    EXPECT_FALSE(parse(part)) << size;
  }
  EXPECT_FALSE(readNpy(write(whole.substr(0, whole.size() - 1))));
}

/// Seeded changes of single bytes: an error or a header that fits the file, never a crash.
TEST_F(NpyTest, SurvivesChangedBytes) {
  std::string whole = fileWith("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", 24);
  for (size_t at = 0; at < whole.size() - 24; ++at)
    for (int value = 0; value < 256; ++value) {
      std::string changed = whole;
      changed[at] = static_cast<char>(value);
      auto header = parse(changed);
      if (header)
        EXPECT_EQ(header->type.numElements() * byteSize(header->type.dtype) + static_cast<int64_t>(header->dataOffset),
                  static_cast<int64_t>(changed.size()));
    }
}

TEST_F(NpyTest, RefusesWhatIsNotAFile) {
  EXPECT_FALSE(readNpy(folder / "absent.npy"));
  EXPECT_FALSE(readNpy(folder));
  EXPECT_FALSE(readNpy("/dev/zero"));
  auto tensor = HostTensor::allocate(TensorType(DType::F32, {1}));
  ASSERT_TRUE(tensor);
  EXPECT_FALSE(writeNpy(folder / "no" / "such" / "folder.npy", tensor->view));
}

} // namespace
