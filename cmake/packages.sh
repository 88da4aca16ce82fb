# For the scripts `examples/run` and `tests/run`: brings the packages that the build needs. Sourced, not run.

rvm_build_packages="g++ make cmake libeigen3-dev zlib1g-dev nlohmann-json3-dev libcli11-dev libstb-dev pkg-config
  libavformat-dev libavcodec-dev libavfilter-dev libavutil-dev libswscale-dev
  libavdevice-dev libpng-dev libturbojpeg0-dev libmatio-dev libcpp-httplib-dev"
rvm_test_packages="catch2 libdnnl-dev doxygen libopencv-core-dev libdlpack-dev python3-numpy"
# For the live page's test in a browser. Ubuntu has Chromium as a snap alone.
[[ "$(. /etc/os-release 2>/dev/null && echo "${ID:-}")" == ubuntu ]] ||
  rvm_test_packages+=" chromium chromium-driver python3-selenium"

# need_packages NAME...: installs those of Debian's or Ubuntu's packages that are missing; on other systems says what the
# build looks for, and goes on.
need_packages() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "This system has no apt. The build needs a C++20 compiler, CMake 3.22, Eigen 3.4, zlib, nlohmann-json, CLI11,"
    echo "stb_image and, all optional, pkg-config, which finds FFmpeg's libraries (videos; libavdevice: cameras), libturbojpeg"
    echo "(JPEG), libpng and matio (masks and JHMDB) and cpp-httplib (the live page); for the tests Catch2 and, optional,"
    echo "oneDNN 2.6, OpenCV, DLPack, NumPy, Doxygen, Chromium and Selenium."
    return 0
  fi
  local missing=() name
  for name in "$@"; do
    [[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" == installed ]] || missing+=("$name")
  done
  ((${#missing[@]} > 0)) || return 0
  echo "Installing: ${missing[*]}"
  local as_root=()
  if [[ "$(id -u)" != 0 ]]; then
    if ! command -v sudo >/dev/null; then
      echo "Please run this as root first: apt-get install ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
