"""Conan 2 recipe of this checkout: conan create . -s compiler.cppstd=20 --build=missing [-o rvm/*:with_onednn=True]"""

import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load
from conan.tools.layout import basic_layout


class RvmConan(ConanFile):
    name = "rvm"
    description = "Recurrent Video Masked Autoencoders: turns a video, frame by frame, into dense features"
    license = "Apache-2.0"
    topics = ("computer-vision", "video", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"with_onednn": [True, False]}
    default_options = {"with_onednn": False}
    exports_sources = "include/*", "LICENSE"
    no_copy_source = True

    def set_version(self):
        header = load(self, os.path.join(self.recipe_folder, "include", "rvm", "core", "version.hpp"))
        self.version = ".".join(re.findall(r"#define RVM_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header))

    def layout(self):
        basic_layout(self)

    def requirements(self):
        self.requires("eigen/3.4.0")
        self.requires("nlohmann_json/3.11.3")
        self.requires("zlib/[>=1.2.11 <2]")
        if self.options.with_onednn:
            self.requires("onednn/[>=2.6]")

    def package_id(self):
        self.info.clear()

    def validate(self):
        check_min_cppstd(self, 20)
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("rvm runs on Linux")

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "*", os.path.join(self.source_folder, "include"), os.path.join(self.package_folder, "include"))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "rvm")
        self.cpp_info.set_property("cmake_target_name", "rvm::all")  # else it would take the name of rvm::rvm, below
        core = self.cpp_info.components["core"]
        core.set_property("cmake_target_name", "rvm::rvm")
        core.set_property("pkg_config_name", "rvm")
        core.bindirs = []
        core.libdirs = []
        core.requires = ["eigen::eigen", "nlohmann_json::nlohmann_json", "zlib::zlib"]
        core.system_libs = ["pthread"]
        if self.options.with_onednn:
            onednn = self.cpp_info.components["onednn"]
            onednn.set_property("cmake_target_name", "rvm::onednn")
            onednn.set_property("pkg_config_name", "rvm-onednn")
            onednn.bindirs = []
            onednn.libdirs = []
            onednn.requires = ["core", "onednn::onednn"]
            onednn.system_libs = ["dl"]
