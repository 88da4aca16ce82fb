#!/usr/bin/env bash
# Everything about the GPU backend in one go, in less than nine minutes on 16 cores: builds it, tests it on the device,
# lets compute-sanitizer look for faults, and times it beside PyTorch and JAX.
#
#   benchmarks/gpu.sh [OUTPUT]             writes OUTPUT/results.md and a log of each part (default: out/gpu)
#   benchmarks/gpu.sh --pack FOLDER        copies the headers that a build needs to FOLDER: for a machine that has a
#                                          CUDA compiler but no packages; there, RVM_GPU_PREFIX=FOLDER benchmarks/gpu.sh
#
# Needs nvcc, CMake and a C++20 compiler; PyTorch and JAX where there are. What could not be done is marked in
# results.md as not measured. Ends with 1 if something was wrong.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ ${1:-} == --pack ]]; then
  folder=${2:?where to}
  mkdir -p "$folder/include" "$folder/lib/cmake"
  cp -rL /usr/include/eigen3 /usr/include/nlohmann /usr/include/catch2 /usr/include/zlib.h /usr/include/zconf.h \
    "$folder/include"
  cp -L "$(g++ -print-file-name=libz.a)" "$folder/lib"
  for library in Eigen3::Eigen/eigen3 nlohmann_json::nlohmann_json/ Catch2::Catch2/; do
    target=${library%/*}
    mkdir -p "$folder/lib/cmake/${target%::*}"
    printf 'add_library(%s INTERFACE IMPORTED)\nset_target_properties(%s PROPERTIES INTERFACE_INCLUDE_DIRECTORIES %s)\n' \
      "$target" "$target" "\${CMAKE_CURRENT_LIST_DIR}/../../../include/${library#*/}" \
      >"$folder/lib/cmake/${target%::*}/${target%::*}Config.cmake"
  done
  exit 0
fi

out=$(mkdir -p "${1:-out/gpu}" && cd "${1:-out/gpu}" && pwd)
build=build/gpu
report=$out/results.md
failed=0
export PATH=$PATH:/usr/local/cuda/bin
export PYTHONUNBUFFERED=1
jobs=$(nproc)

say() { printf '[%3d s] %s\n' "$SECONDS" "$*"; }
# part SECONDS NAME COMMAND...: runs it with its output in a log; 0 if it went well.
part() {
  local limit=$1 name=$2 code=0
  shift 2
  timeout --kill-after=5 "$limit" "$@" >"$out/$name.log" 2>&1 || code=$?
  say "$name: $([[ $code == 0 ]] && echo ok || echo "ended with $code")"
  if [[ $code != 0 ]]; then tail -n 25 "$out/$name.log"; fi
  return $code
}
verdict() { # verdict NAME CODE: a line of the report
  case $2 in
    0) echo "| $1 | passed |" ;;
    77 | 124 | 137) echo "| $1 | not measured |" ;;
    *) echo "| $1 | **failed** |" && failed=1 ;;
  esac >>"$report"
  [[ $2 == 0 || $2 == 77 || $2 == 124 || $2 == 137 ]] || failed=1
}

{
  echo "# The GPU backend"
  echo
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null || echo "no GPU found"
  nvcc --version 2>/dev/null | tail -n 2 | head -n 1
  date -u +%F
  echo
} >"$report"

# The peers compile while our own code does.
python=${PYTHON:-python3}
peers=0
if "$python" -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
  rm -f "$out/go"
  "$python" benchmarks/peers/gpu.py serve --go "$out/go" >"$out/peers.md" 2>"$out/peers.log" &
  peers=$!
fi

prefix=$(cd "${RVM_GPU_PREFIX:-/usr}" && pwd)
architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d .)
part 60 configure cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_RUNTIME_OUTPUT_DIRECTORY="$PWD/$build/bin" \
  -DRVM_BUILD_EXAMPLES=OFF -DRVM_BUILD_TESTS=cuda -DRVM_BUILD_BENCHMARKS=cuda -DRVM_ONEDNN=OFF -DRVM_CUDA=ON \
  -DCMAKE_CUDA_ARCHITECTURES="${architecture:-90}" -DCMAKE_PREFIX_PATH="$prefix"
part 260 build cmake --build "$build" --target test_cuda_device bench_cuda --parallel "$jobs"
built=$?

{
  echo "## Checks"
  echo
  echo "| check | |"
  echo "|---|---|"
} >>"$report"
verdict "it builds, without warnings" "$((built != 0 || $(grep -c 'warning' "$out/build.log") != 0))"
if [[ $built != 0 && $peers != 0 ]]; then kill "$peers"; fi
tests=$build/bin/test_cuda_device
if [[ $built == 0 ]]; then
  # Nothing else uses the device while the peers choose their kernels.
  if [[ $peers != 0 ]]; then
    while [[ $SECONDS -lt 270 ]] && kill -0 "$peers" 2>/dev/null && ! grep -q '^ready' "$out/peers.md"; do sleep 1; done
    grep -q '^ready' "$out/peers.md" || { kill "$peers" 2>/dev/null; peers=0; }
  fi
  if [[ $peers != 0 ]]; then
    touch "$out/go"
    while [[ $SECONDS -lt 300 ]] && kill -0 "$peers" 2>/dev/null; do sleep 1; done
    kill "$peers" 2>/dev/null
    say "peers: done"
  fi
  part 60 tests "$tests"
  verdict "the typed tests on the device" $?
  if [[ $peers != 0 ]]; then
    part 40 prepare "$python" benchmarks/peers/gpu.py prepare "$out/agree" &&
      part 30 features "$build/bin/bench_cuda" --features "$out/agree/weights.npz" "$out/agree/video.npy" "$out/agree/found.npy" &&
      part 20 agree "$python" benchmarks/peers/gpu.py agree "$out/agree" "$out/agree/found.npy"
    agreed=$?  # before the words of the verdict run a command of their own
    verdict "agrees with PyTorch: $(head -n 1 "$out/agree.log" 2>/dev/null)" "$agreed"
    rm -rf "$out/agree"
  fi
  part 150 bench "$build/bin/bench_cuda"
  bench=$?
  if command -v compute-sanitizer >/dev/null; then
    small='advance is step*,clips of every length*,frames on the device*,layer norm*,the gates*,attention of any sizes*'
    for tool in memcheck racecheck synccheck initcheck; do
      left=$((525 - SECONDS))
      code=124
      if ((left > 10)); then
        part "$((left < 60 ? left : 60))" "$tool" compute-sanitizer --tool "$tool" --error-exitcode 9 "$tests" "$small"
        code=$?
      fi
      verdict "compute-sanitizer, $tool" "$code"
    done
  else
    verdict "compute-sanitizer" 77
  fi
fi

{
  echo
  echo "## Speed"
  echo
  if [[ ${bench:-1} == 0 ]]; then cat "$out/bench.log"; else
    cat "$out/bench.log" 2>/dev/null
    echo
    echo "Not measured: what is missing above."
  fi
  echo
  echo "### Peers, 256x256, one stream"
  echo
  if grep -q '^| [SBLH]' "$out/peers.md" 2>/dev/null; then grep '^|' "$out/peers.md"; else echo "Not measured."; fi
  grep -h '^not measured' "$out/peers.log" 2>/dev/null
} >>"$report"
rm -f "$out/go"
[[ ${bench:-1} == 0 ]] || failed=1
cat "$report"
say "done"
exit "$failed"
