# SPDX-License-Identifier: MIT
"""The MQTT transport: paho's protocol engine on the asyncio loop.

    connection      attempts, results, backpressure: what the daemon talks to
    subscriptions   what we listen to
    queue policy    pure: window and bounds; keepalive, backoff, versions
    session         one connection: engine, stream and owner
    client packets  paho, and the gate that keeps hostile bytes from it
    stream          buffers between socket and engine
    link websocket  names, TCP, TLS, the WebSocket upgrade and its frames

Outside, only what is named here is used.
"""

from federation.adapters.mqtt.client import Will
from federation.adapters.mqtt.connection import MqttConnection
from federation.adapters.mqtt.options import ConnectionInfo, MqttCallbacks, MqttOptions
from federation.adapters.mqtt.packets import valid_filter, valid_topic
from federation.adapters.mqtt.probe import answers, examine

__all__ = [
    "ConnectionInfo",
    "MqttCallbacks",
    "MqttConnection",
    "MqttOptions",
    "Will",
    "answers",
    "examine",
    "valid_filter",
    "valid_topic",
]
