"""What the operations on devices take and answer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, SecretStr

from edge.inputs import PLACES
from tools.kernel.operations import Args, EntityKind, Result, Slot

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9._-]*$"


class Profile(StrEnum):
    """The class of a device: what it has to give to a model."""

    PHONE = "phone"
    LAPTOP = "laptop"
    SERVER = "server"


class DeviceState(StrEnum):
    """What is known of a device now.

    `pending` waits for its first enrolment, `online` has reported lately, `silent` has not,
    `retired` may do nothing any more.
    """

    PENDING = "pending"
    ONLINE = "online"
    SILENT = "silent"
    RETIRED = "retired"


DeviceName = Annotated[str, Slot(EntityKind.DEVICE, "Which device?")]
GroupName = Annotated[str, Slot(EntityKind.DEVICE_GROUP, "Which group of devices?")]


class ListDevices(Args):
    """Which devices to list."""

    group: GroupName | None = Field(None, description="Only the devices of this group.")


class DescribeDevice(Args):
    """Which device to describe."""

    device: DeviceName = Field(description="The device's name.")


class FleetHealthOf(Args):
    """Whose health to read."""

    group: GroupName | None = Field(None, description="Only the devices of this group.")


class EnrollDevice(Args):
    """The device to be let in."""

    name: Annotated[str, Slot(None, "What should the device be called?")] = Field(
        description="The new device's name: letters, digits, dots and dashes.",
        min_length=1,
        max_length=64,
        pattern=NAME_PATTERN,
    )
    group: Annotated[
        str, Slot(EntityKind.DEVICE_GROUP, "Which group should it join?", closed=False)
    ] = Field(
        description="The group that it joins; a new name makes a new group.",
        min_length=1,
        max_length=64,
        pattern=NAME_PATTERN,
    )
    profile: Annotated[Profile, Slot(None, "Is it a phone, a laptop or a server?")] = Field(
        description="phone, laptop or server: bounds the memory and threads a model may use."
    )


class RetireDevice(Args):
    """The device to be shut out."""

    device: DeviceName = Field(description="The device's name.")


class ProtectGroup(Args):
    """A group, and whether it is to be protected."""

    group: GroupName = Field(description="The group's name.")
    protected: Annotated[bool, Slot(None, "Should it be protected, yes or no?")] = Field(
        True, description="True to protect the group, false to lift its protection."
    )


class ServedModel(Result):
    """A model that a device serves, or is to serve.

    Attributes:
        model: the registered model's name.
        version: its version.
        bundle: SHA-256 of the bundle's manifest.
        weight: share of the device's requests that it answers, in percent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    version: int
    bundle: str
    weight: int = 100


class Inputs(Result):
    """How many inputs fell into each class; what they say is not told.

    Attributes:
        lengths: by length in words, at `edge.inputs.EDGES`.
        words: by the hashed class of one of their words.
        places: by where their embedding lies, see `edge.places`; of those where that is known.
    """

    lengths: list[int]
    words: list[int]
    places: list[int] = [0] * PLACES


class Traffic(Result):
    """What one model has answered on a device since the device was enrolled.

    Attributes:
        model: the model's name.
        version: its version.
        requests: texts that it was asked about.
        errors: those that it failed to answer.
        mean_confidence: mean probability of the label that it chose, 0 to 1.
        compared: texts on which it ran beside the model that answered, as a shadow.
        agreed: those on which it chose the same label.
        labels: how often it chose each label.
        inputs: what its inputs were like, from devices that count that.
    """

    model: str
    version: int
    requests: int = 0
    errors: int = 0
    mean_confidence: float | None = None
    compared: int = 0
    agreed: int = 0
    labels: dict[str, int] = Field(default_factory=dict)
    inputs: Inputs | None = None


class Machine(Result):
    """What a device said of the machine that it is.

    Attributes:
        memory_mb: its memory, in megabytes.
        disk_mb: the size of the disk that models lie on.
        accelerator: `none`, `gpu` or `npu`.
        battery_percent: 0 to 100; none for a machine without a battery.
        charging: whether it is on mains.
        network: its way to the server: `ethernet`, `wifi`, `cellular` or `unknown`.
        runtimes: what it can run: `onnx`, `openvino`, `executorch`, `llamacpp`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    memory_mb: float | None = None
    disk_mb: float | None = None
    accelerator: str = "none"
    battery_percent: float | None = None
    charging: bool | None = None
    network: str = "unknown"
    runtimes: tuple[str, ...] = ("onnx",)


class DeviceSummary(Result):
    """One device as a line of a list."""

    name: str
    group: str
    profile: Profile
    state: DeviceState
    serving: list[ServedModel] = Field(default_factory=list[ServedModel])
    desired: list[ServedModel] = Field(default_factory=list[ServedModel])
    in_step: bool = Field(description="True if the device reports what it is meant to serve.")
    last_report: datetime | None = None


class DeviceList(Result):
    """The devices asked for, by group and name."""

    devices: list[DeviceSummary]


class DeviceDetail(DeviceSummary):
    """All that is known of one device; what it serves is what it reported itself."""

    protected: bool = Field(description="True if the device's group is protected.")
    locked: datetime | None = Field(
        None, description="When it was locked because its credential had been copied."
    )
    healthy: bool | None = None
    slots: dict[str, ServedModel | None] = Field(default_factory=dict)
    address: str | None = Field(None, description="Where it answers predictions, on its own host.")
    error: str | None = Field(None, description="Why it refused its desired state, if it did.")
    requests: int = 0
    errors: int = 0
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    memory_mb: float | None = None
    free_disk_mb: float | None = None
    handed_over: int = Field(0, description="Requests that a server group answered for it.")
    handed_to: str | None = Field(None, description="The device that answered for it last.")
    machine: Machine | None = Field(None, description="What kind of machine it is.")
    agent: str | None = Field(None, description="Version of the program on the device.")
    traffic: list[Traffic] = Field(default_factory=list[Traffic])
    enrolled: datetime | None = None


class DeviceHealth(Result):
    """How one device is doing, from its own last report."""

    name: str
    group: str
    state: DeviceState
    healthy: bool | None = None
    serving: str | None = None
    requests: int = 0
    errors: int = 0
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    mean_confidence: float | None = None
    last_report: datetime | None = None
    error: str | None = None


class FleetHealth(Result):
    """How a group, or the whole fleet, is doing."""

    group: str | None
    online: int
    silent: int
    pending: int
    unhealthy: int
    silent_after_seconds: float
    requests: int = 0
    errors: int = Field(0, description="Requests that no device of them could answer.")
    error_rate: float = Field(0.0, description="Errors over requests, 0 to 1; 0 without requests.")
    devices: list[DeviceHealth]


class DeviceEnrolled(Result):
    """A device record and the token with which the device enrols once.

    Attributes:
        name: the device's name.
        group: the group that it joins.
        profile: its profile.
        token: the one-time token; shown once, stored only as a hash.
        expires: when the token stops working.
        command: what to run on the device, with TOKEN in the token's place.
    """

    name: str
    group: str
    profile: Profile
    token: SecretStr
    expires: datetime
    command: str


class DeviceRetired(Result):
    """A device that may do nothing any more."""

    name: str
    group: str
    profile: Profile
    retired: datetime


class GroupProtected(Result):
    """A group and whether it is protected."""

    group: str
    protected: bool
    devices: int


class RotateKey(Args):
    """How the key that signs bundles is to be replaced."""

    grace_days: float = Field(
        30.0,
        ge=0,
        le=3650,
        description="Days for which devices still take in what only the old key signed.",
    )


class KeyRotated(Result):
    """The new signing key.

    Attributes:
        serial: the number of the list of trusted keys that names it.
        fingerprint: the first 16 hex digits of the SHA-256 of its public half in PEM.
    """

    serial: int
    fingerprint: str
