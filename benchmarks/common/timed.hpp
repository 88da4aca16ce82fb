#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <span>
#include <string>

#include <rvm/backend/concept.hpp>

namespace rvm::bench {

/// What one kind of operation has taken in all.
struct Stage {
  double seconds = 0;
  double operations = 0;  // multiplications and additions of its products
  std::size_t calls = 0;
};

/// Stages by name, of everything that a Timed backend has computed since the last clear().
inline std::map<std::string, Stage>& stages() {
  static std::map<std::string, Stage> all;
  return all;
}

/// A backend that computes as B does and books what each operation takes under stages(). For one stream at a time.
template <class B>
struct Timed : B {
  class Executor : public B::Executor {
    using Base = typename B::Executor;
    using Element = typename B::Element;

   public:
    using Base::Base;

    void patches(std::span<const FrameView> frames, MatrixView<Element> out) {
      book("patches", 0, [&] { Base::patches(frames, out); });
    }
    void dense(MatrixView<const Element> x, const typename B::Dense& w, MatrixView<Element> y, Activation activation) {
      book(product(activation == Activation::kGelu ? "dense, GELU" : "dense", x, y), operations(x, y),
           [&] { Base::dense(x, w, y, activation); });
    }
    template <class Wide>
    void dense(MatrixView<const Element> x, const typename B::Dense& w, MatrixView<Wide> y) {
      book(product("dense", x, y), operations(x, y), [&] { Base::dense(x, w, y); });
    }
    void dense_add(MatrixView<const Element> x, const typename B::Dense& w, MatrixView<float> y) {
      book(product("dense, add", x, y), operations(x, y), [&] { Base::dense_add(x, w, y); });
    }
    template <class Out>
    void layer_norm(MatrixView<const float> x, const typename B::Norm& norm, MatrixView<Out> y) {
      book("layer norm", 0, [&] { Base::layer_norm(x, norm, y); });
    }
    void convert(MatrixView<const float> x, MatrixView<Element> y) {
      book("convert", 0, [&] { Base::convert(x, y); });
    }
    void attention(const AttentionShape& s, MatrixView<const Element> q, MatrixView<const Element> k,
                   MatrixView<const Element> v, MatrixView<Element> out) {
      const auto work = 4.0 * static_cast<double>(s.batch * s.heads * s.queries * s.keys * s.head_dim);
      book("attention " + std::to_string(s.queries) + "x" + std::to_string(s.keys) + ", " + std::to_string(s.heads) +
               " heads of " + std::to_string(s.head_dim),
           work, [&] { Base::attention(s, q, k, v, out); });
    }
    template <class... Arguments>
    void reset_gate(const Arguments&... arguments) {
      book("gates", 0, [&] { Base::reset_gate(arguments...); });
    }
    template <class... Arguments>
    void update_gate(const Arguments&... arguments) {
      book("gates", 0, [&] { Base::update_gate(arguments...); });
    }

   private:
    template <class X, class Y>
    static double operations(const X& x, const Y& y) {
      return 2.0 * static_cast<double>(x.rows * x.cols * y.cols);
    }
    template <class X, class Y>
    static std::string product(const std::string& what, const X& x, const Y& y) {
      return what + " " + std::to_string(x.rows) + "x" + std::to_string(x.cols) + "x" + std::to_string(y.cols);
    }
    template <class Body>
    static void book(const std::string& name, double operations, const Body& body) {
      Stage& stage = stages()[name];
      const auto start = std::chrono::steady_clock::now();
      body();
      stage.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      stage.operations += operations;
      ++stage.calls;
    }
  };
};

}  // namespace rvm::bench
