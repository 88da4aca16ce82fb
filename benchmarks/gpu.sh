#!/usr/bin/env bash
# Everything about the GPU backend in one go, in less than nine minutes on 16 cores: builds it, tests it on the device,
# lets compute-sanitizer look for faults, and times it beside PyTorch and JAX.
#
#   benchmarks/gpu.sh [OUTPUT]             writes OUTPUT/results.md and a log of each part (default: out/gpu)
#   benchmarks/gpu.sh --pack FOLDER        copies the headers that a build needs to FOLDER: for a machine that has a
#                                          CUDA compiler but no packages; there, RVM_GPU_PREFIX=FOLDER benchmarks/gpu.sh
#
# Needs nvcc, CMake, a C++20 compiler, Eigen, zlib, nlohmann-json and Catch2 2 (of version 3 there is more than headers,
# which --pack does not copy); PyTorch and JAX where there are. What could not be done is marked in
# results.md as not measured; what ran out of time has failed. Ends with 1 if something was wrong.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

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
rm -f "$out"/*.log "$out/peers.md"
failed=0
export PATH=$PATH:/usr/local/cuda/bin
export PYTHONUNBUFFERED=1
deadline=${RVM_GPU_SECONDS:-525}  # after which nothing runs
peers_end=${RVM_GPU_PEER_SECONDS:-200}  # after which no peer is waited for

say() { printf '[%3d s] %s\n' "$SECONDS" "$*"; }
write() { printf '%s\n' "$@" >>"$report"; }
# part SECONDS NAME COMMAND...: runs it with its output in a log, no longer than is left; 0 if it went well.
part() {
  local limit=$1 name=$2 code=0 left=$((deadline - SECONDS))
  shift 2
  if ((left < limit)); then limit=$left; fi
  if ((limit > 0)); then
    timeout --kill-after=5 "$limit" "$@" >"$out/$name.log" 2>&1 || code=$?
  else
    code=124
    echo "no time left" >"$out/$name.log"
  fi
  say "$name: $([[ $code == 0 ]] && echo ok || echo "ended with $code")"
  if [[ $code != 0 ]]; then tail -n 25 "$out/$name.log"; fi
  return "$code"
}
verdict() { # verdict NAME CODE: a line of the report
  case $2 in
    0) write "| $1 | passed |" ;;
    77) write "| $1 | not measured |" ;;
    124 | 137) write "| $1 | **ran out of time** |" && failed=1 ;;
    *) write "| $1 | **failed** |" && failed=1 ;;
  esac
}
agree() { # agree NAME OPTION...: features beside PyTorch's
  local name=$1 code=0 folder=$out/agree-$1
  shift
  part 90 "prepare-$name" "$python" benchmarks/peers/gpu.py prepare "$folder" "$@" &&
    part 90 "features-$name" "$build/bin/bench_cuda" --features "$folder" &&
    part 30 "agree-$name" "$python" benchmarks/peers/gpu.py agree "$folder"
  code=$?
  rm -rf "$folder"
  return "$code"
}
finish() { # finish TEXT: the end of this script
  cat "$report"
  say "$1"
  exit "$failed"
}

{
  echo "# The GPU backend"
  echo
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null || echo "no GPU found"
  nvcc --version 2>/dev/null | tail -n 2 | head -n 1
  date -u +%F
} >"$report"

# The peers compile and are timed while our own code compiles, on the other cores.
python=${PYTHON:-python3}
jobs=$(nproc)
peers=0
torch=0
"$python" -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null && torch=1
if [[ $torch == 1 ]] || "$python" -c 'import jax; assert jax.default_backend() == "gpu"' 2>/dev/null; then
  timeout --kill-after=5 $((peers_end - SECONDS + 10)) \
    "$python" benchmarks/peers/gpu.py time --seconds $((peers_end - SECONDS)) >"$out/peers.md" 2>"$out/peers.log" &
  peers=$!
  jobs=$((jobs > 4 ? jobs - 2 : jobs))
fi
trap '[[ $peers == 0 ]] || kill "$peers" 2>/dev/null' EXIT

prefix=$(cd "${RVM_GPU_PREFIX:-/usr}" && pwd)
architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d .)
part 60 configure cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_RUNTIME_OUTPUT_DIRECTORY="$PWD/$build/bin" \
  -DRVM_BUILD_EXAMPLES=OFF -DRVM_BUILD_TESTS=cuda -DRVM_BUILD_BENCHMARKS=cuda -DRVM_ONEDNN=OFF -DRVM_CUDA=ON \
  -DCMAKE_CUDA_ARCHITECTURES="${architecture:-90}" -DCMAKE_PREFIX_PATH="$prefix" &&
  part 260 build cmake --build "$build" --target test_cuda_device bench_cuda --parallel "$jobs"
built=$?
tests=$build/bin/test_cuda_device

# Nothing else uses the device while the peers are timed.
write "" "## Peers, 256x256, one stream" ""
if [[ $peers != 0 ]]; then
  wait "$peers"
  peers=0
  say "peers: done"
  grep '^|' "$out/peers.md" >>"$report"
else
  write "Not measured: there is neither PyTorch nor JAX that finds a GPU."
fi

if [[ $built != 0 ]]; then
  write "" "## Checks" "" "| check | |" "|---|---|"
  verdict "it builds, without warnings" "$built"
  finish "there is no build to go on with: see build.log"
fi
"$tests" --list-tests >/dev/null 2>&1  # which needs a device, too
if [[ $? == 77 ]]; then
  failed=1
  finish "it builds, but there is no CUDA device here: nothing was tested or measured"
fi

write "" "## Speed" ""
part 200 bench "$build/bin/bench_cuda"
bench=$?
grep -v '^bench_cuda:' "$out/bench.log" >>"$report"
if [[ $bench != 0 ]]; then
  write "" "What is missing above was not measured."
  failed=1
fi

# What is not timed runs side by side.
declare -A checks
cases=("S, 256x256" "L, 256x256 --variant L" "S, 480x880 --size 480x880")
part 120 tests "$tests" &
checks[tests]=$!
if [[ $torch == 1 ]]; then
  for each in "${cases[@]}"; do
    read -r -a words <<<"$each"
    agree "${words[0]%,}-${words[1]}" "${words[@]:2}" &
    checks[$each]=$!
  done
fi
if command -v compute-sanitizer >/dev/null; then
  small='advance is step*,clips of every length*,frames on the device*,layer norm*,the gates*,attention of any sizes*,'
  small+='whole vectors*,attention over*'
  for tool in memcheck racecheck synccheck initcheck; do
    options=(--tool "$tool" --error-exitcode 9 --report-api-errors no)
    # Our kernels alone; what others have written, initcheck must see.
    if [[ $tool != initcheck ]]; then options+=(--kernel-name kns=rvm); fi
    RVM_TEST_MEASURE=0 part 240 "$tool" compute-sanitizer "${options[@]}" "$tests" "$small" &
    checks[$tool]=$!
  done
fi

write "" "## Checks" "" "| check | |" "|---|---|"
verdict "it builds, without warnings" "$(grep -q 'warning' "$out/build.log" && echo 1 || echo 0)"
wait "${checks[tests]}"
verdict "the typed tests on the device" $?
for each in "${cases[@]}"; do
  code=77
  read -r -a words <<<"$each"
  if [[ $torch == 1 ]]; then
    wait "${checks[$each]}"
    code=$?
  fi
  found=$(head -n 1 "$out/agree-${words[0]%,}-${words[1]}.log" 2>/dev/null)
  verdict "agrees with PyTorch, ${words[0]} ${words[1]}: $found" "$code"
done
for tool in memcheck racecheck synccheck initcheck; do
  code=77
  if [[ -n ${checks[$tool]:-} ]]; then
    wait "${checks[$tool]}"
    code=$?
  fi
  verdict "compute-sanitizer, $tool" "$code"
done
finish "$([[ $failed == 0 ]] && echo "done" || echo "something was wrong: see above")"
