"""The node in a container of its own, configured and active at once."""

import os

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import ComposableNodeContainer
from launch_ros.descriptions import ComposableNode


def generate_launch_description():
    config = os.path.join(get_package_share_directory("rvm_ros"), "config", "features.yaml")
    node = ComposableNode(
        package="rvm_ros",
        plugin="rvm_ros::FeatureNode",
        name="rvm_features",
        parameters=[config, {"weights": LaunchConfiguration("weights"), "autostart": True}],
        remappings=[("image", LaunchConfiguration("image")), ("first_mask", LaunchConfiguration("first_mask"))],
        extra_arguments=[{"use_intra_process_comms": True}],
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("weights", description="A .npz or .safetensors file"),
            DeclareLaunchArgument("image", default_value="/camera/image_raw", description="The topic of the images"),
            DeclareLaunchArgument("first_mask", default_value="~/first_mask", description="The topic of the masks"),
            ComposableNodeContainer(
                name="rvm_container",
                namespace="",
                package="rclcpp_components",
                executable="component_container",
                composable_node_descriptions=[node],
            ),
        ]
    )
