// The node: topics, parameters and transitions of ROS 2 around FeatureNodeCore, which does the work.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <lifecycle_msgs/msg/state.hpp>
#include <rclcpp/rclcpp.hpp>
#include <rclcpp_components/register_node_macro.hpp>
#include <rclcpp_lifecycle/lifecycle_node.hpp>
#include <rclcpp_lifecycle/lifecycle_publisher.hpp>
#include <sensor_msgs/msg/image.hpp>
#include <std_srvs/srv/trigger.hpp>

#include "rvm_ros/feature_node_core.hpp"

namespace rvm_ros {

/// Images in, features and tracked masks out; see README.md for topics and parameters.
class FeatureNode : public rclcpp_lifecycle::LifecycleNode {
 public:
  using CallbackReturn = rclcpp_lifecycle::node_interfaces::LifecycleNodeInterface::CallbackReturn;
  using Image = sensor_msgs::msg::Image;
  using Trigger = std_srvs::srv::Trigger;

  explicit FeatureNode(const rclcpp::NodeOptions& options)
      : rclcpp_lifecycle::LifecycleNode("rvm_features", options),
        core_([this](const Result& result) { publish(result); },
              [this](const std::string& text) {
                RCLCPP_WARN_THROTTLE(get_logger(), *get_clock(), 1000, "%s", text.c_str());
              }) {
    const Parameters defaults;
    declare_parameter("weights", defaults.weights);
    declare_parameter("backend", defaults.backend);
    declare_parameter("precision", defaults.precision);
    declare_parameter("threads", defaults.threads);
    declare_parameter("height", defaults.height);
    declare_parameter("width", defaults.width);
    declare_parameter("queue", defaults.queue);
    declare_parameter("max_gap", defaults.max_gap);
    declare_parameter("context", defaults.context);
    declare_parameter("top_k", defaults.top_k);
    declare_parameter("temperature", defaults.temperature);
    declare_parameter("radius", defaults.radius);
    declare_parameter("reliable", false);
    if (declare_parameter("autostart", false)) {
      // Once the executor spins: a node cannot change its state while it is made.
      autostart_ = create_wall_timer(std::chrono::milliseconds(0), [this] {
        autostart_->cancel();
        if (configure().id() == lifecycle_msgs::msg::State::PRIMARY_STATE_INACTIVE) activate();
      });
    }
  }

  CallbackReturn on_configure(const rclcpp_lifecycle::State&) override {
    const auto configure = [this] {
      const Parameters parameters = read_parameters();
      core_.configure(parameters);
      const rclcpp::QoS reliable = rclcpp::QoS(static_cast<std::size_t>(parameters.queue)).reliable();
      // Cameras send what they can and never wait: best effort, unless told otherwise.
      images_qos_ = rclcpp::QoS(static_cast<std::size_t>(parameters.queue));
      if (get_parameter("reliable").as_bool()) {
        images_qos_.reliable();
      } else {
        images_qos_.best_effort();
      }
      features_ = create_publisher<Image>("~/features", reliable);
      cls_ = create_publisher<Image>("~/class_token", reliable);
      mask_ = create_publisher<Image>("~/mask", reliable);
      reset_ = create_service<Trigger>(
          "~/reset", [this](const std::shared_ptr<Trigger::Request>, std::shared_ptr<Trigger::Response> response) {
            core_.reset();
            response->success = true;
          });
    };
    return attempt("configure", configure, [this] { close(); });
  }

  CallbackReturn on_activate(const rclcpp_lifecycle::State& state) override {
    const auto activate = [&] {
      // What comes before the core is active, it does not take.
      images_ = create_subscription<Image>("image", images_qos_, [this](Image::ConstSharedPtr message) {
        core_.offer(input_image(std::move(message)));
      });
      first_masks_ = create_subscription<Image>(
          "first_mask", rclcpp::QoS(1).reliable(),
          [this](Image::ConstSharedPtr message) { core_.offer_mask(input_image(std::move(message))); });
      LifecycleNode::on_activate(state);  // the publishers
      core_.activate();
    };
    return attempt("activate", activate, [&] {
      images_.reset();
      first_masks_.reset();
      LifecycleNode::on_deactivate(state);
    });
  }

  CallbackReturn on_deactivate(const rclcpp_lifecycle::State& state) override {
    return attempt("deactivate", [&] {
      images_.reset();
      first_masks_.reset();
      core_.deactivate();
      LifecycleNode::on_deactivate(state);
      const Statistics statistics = core_.statistics();
      RCLCPP_INFO(get_logger(), "of %s images %s were computed, %s dropped, %s could not be used",
                  std::to_string(statistics.taken).c_str(), std::to_string(statistics.done).c_str(),
                  std::to_string(statistics.dropped).c_str(), std::to_string(statistics.failed).c_str());
    });
  }

  CallbackReturn on_cleanup(const rclcpp_lifecycle::State&) override {
    close();
    return CallbackReturn::SUCCESS;
  }

  CallbackReturn on_shutdown(const rclcpp_lifecycle::State&) override {
    close();
    return CallbackReturn::SUCCESS;
  }

  // What went wrong has been logged: the node can be configured again.
  CallbackReturn on_error(const rclcpp_lifecycle::State&) override {
    close();
    return CallbackReturn::SUCCESS;
  }

 private:
  // Runs a transition; what it throws is logged and makes it fail, and `undo` takes back what it has done by then.
  CallbackReturn attempt(
      const char* transition, const std::function<void()>& body, const std::function<void()>& undo = [] {}) {
    try {
      body();
      return CallbackReturn::SUCCESS;
    } catch (const std::exception& error) {
      RCLCPP_ERROR(get_logger(), "cannot %s: %s", transition, error.what());
      undo();
      return CallbackReturn::FAILURE;
    }
  }

  void close() {
    images_.reset();
    first_masks_.reset();
    core_.shutdown();
    reset_.reset();
    features_.reset();
    cls_.reset();
    mask_.reset();
  }

  Parameters read_parameters() const {
    Parameters parameters;
    parameters.weights = get_parameter("weights").as_string();
    parameters.backend = get_parameter("backend").as_string();
    parameters.precision = get_parameter("precision").as_string();
    parameters.threads = get_parameter("threads").as_int();
    parameters.height = get_parameter("height").as_int();
    parameters.width = get_parameter("width").as_int();
    parameters.queue = get_parameter("queue").as_int();
    parameters.max_gap = get_parameter("max_gap").as_double();
    parameters.context = get_parameter("context").as_int();
    parameters.top_k = get_parameter("top_k").as_int();
    parameters.temperature = get_parameter("temperature").as_double();
    parameters.radius = get_parameter("radius").as_double();
    return parameters;
  }

  static constexpr std::int64_t kSecond = 1'000'000'000;

  static InputImage input_image(Image::ConstSharedPtr message) {
    InputImage image;
    image.header = {message->header.stamp.sec * kSecond + message->header.stamp.nanosec, message->header.frame_id};
    image.height = message->height;
    image.width = message->width;
    image.step = message->step;
    image.encoding = message->encoding;
    image.data = message->data;
    image.owner = std::move(message);
    return image;
  }

  static std::unique_ptr<Image> output_image(const Header& header, std::size_t height, std::size_t width,
                                             std::string encoding, std::span<const std::byte> data) {
    auto message = std::make_unique<Image>();
    const std::int64_t rest = (header.stamp % kSecond + kSecond) % kSecond;  // of a time before 1970 too
    message->header.stamp.sec = static_cast<std::int32_t>((header.stamp - rest) / kSecond);
    message->header.stamp.nanosec = static_cast<std::uint32_t>(rest);
    message->header.frame_id = header.frame_id;
    message->height = static_cast<std::uint32_t>(height);
    message->width = static_cast<std::uint32_t>(width);
    message->encoding = std::move(encoding);
    message->is_bigendian = 0;
    message->step = static_cast<std::uint32_t>(data.size() / height);
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(data.data());
    message->data.assign(bytes, bytes + data.size());
    return message;
  }

  // On the core's thread.
  void publish(const Result& result) {
    const rvm::Shape& grid = result.tokens.shape();
    const std::string encoding = "32FC" + std::to_string(grid[2]);
    features_->publish(output_image(result.header, grid[0], grid[1], encoding, std::as_bytes(result.tokens.span())));
    cls_->publish(output_image(result.header, 1, 1, encoding, std::as_bytes(result.cls.span())));
    if (result.mask != nullptr) {
      const rvm::Shape& size = result.mask->shape();
      mask_->publish(output_image(result.header, size[0], size[1], "mono8", std::as_bytes(result.mask->span())));
    }
  }

  rclcpp::QoS images_qos_{1};
  rclcpp::Subscription<Image>::SharedPtr images_;
  rclcpp::Subscription<Image>::SharedPtr first_masks_;
  rclcpp_lifecycle::LifecyclePublisher<Image>::SharedPtr features_;
  rclcpp_lifecycle::LifecyclePublisher<Image>::SharedPtr cls_;
  rclcpp_lifecycle::LifecyclePublisher<Image>::SharedPtr mask_;
  rclcpp::Service<Trigger>::SharedPtr reset_;
  rclcpp::TimerBase::SharedPtr autostart_;
  FeatureNodeCore core_;  // last: its thread uses the others
};

}  // namespace rvm_ros

RCLCPP_COMPONENTS_REGISTER_NODE(rvm_ros::FeatureNode)
