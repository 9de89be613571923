"""What devices send, checked field by field: a device is a stranger until its message is valid."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from edge.inputs import CLASSES, EDGES, PLACES


def _plain(text: str) -> str:
    """The text without what could steer a terminal: a device's words are shown to people."""
    return "".join(c if c.isprintable() else "?" for c in text)


Short = Annotated[str, Field(max_length=200), AfterValidator(_plain)]
Address = Annotated[str, Field(max_length=200, pattern=r"^https?://[A-Za-z0-9.:_\[\]-]+$")]
Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0, le=2**53)]
Megabytes = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
RuntimeName = Literal["onnx", "openvino", "executorch", "llamacpp"]
Milliseconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReportedMachine(_Message):
    """What kind of machine a device says it is."""

    memory_mb: Megabytes | None
    disk_mb: Megabytes | None
    accelerator: Literal["none", "gpu", "npu"]
    battery_percent: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None
    charging: bool | None
    network: Literal["ethernet", "wifi", "cellular", "unknown"]
    runtimes: Annotated[list[RuntimeName], Field(max_length=4)]


class EnrolmentRequest(_Message):
    """A device asks to be let in: its token, its public key, and a proof that the key is its own.

    The proof is the key's Ed25519 signature of `pilothouse-enroll-v1\\n<name>\\n<token>`, base64.
    What it says of its machine decides in which form it gets what its group serves.
    """

    name: Short
    token: Short
    public_key: Annotated[str, Field(max_length=1000)]
    proof: Short
    machine: ReportedMachine | None = None


class Enrolment(_Message):
    """What the device gets: its credential, shown once, and the key that signs bundles.

    The credential is good for `seconds`; the key is that of the keyring's `keys_serial`-th
    document; `wake_topic` is where the device is woken over MQTT.
    """

    device: str
    profile: str
    credential: str
    seconds: float
    platform_key: str
    keys_serial: int
    wake_topic: str


class Renewal(_Message):
    """A device's next credential, good for `seconds` from when it was made."""

    credential: str
    seconds: float


class ReportedModel(_Message):
    """A model that a device says it has."""

    bundle: Sha
    model: Short
    version: Annotated[int, Field(ge=1)]
    weight: Annotated[int, Field(ge=0, le=100)]


class ReportedInputs(_Message):
    """How many inputs fell into each class; see `edge.inputs`."""

    lengths: Annotated[list[Count], Field(min_length=len(EDGES) + 1, max_length=len(EDGES) + 1)]
    words: Annotated[list[Count], Field(min_length=CLASSES, max_length=CLASSES)]
    places: Annotated[list[Count], Field(min_length=PLACES, max_length=PLACES)] = [0] * PLACES


class ReportedTraffic(_Message):
    """What a model answered since the device's boot."""

    bundle: Sha
    model: Short
    version: Annotated[int, Field(ge=1)]
    requests: Count
    errors: Count
    confidence_sum: Annotated[float, Field(ge=0, le=2**53, allow_inf_nan=False)]
    compared: Count = 0
    agreed: Count = 0
    labels: Annotated[dict[Short, Count], Field(max_length=500)]
    inputs: ReportedInputs | None = None


class DeviceReport(_Message):
    """What a device says of itself. `(boot, sequence)` only ever grows.

    `generation` is the desired state that it has reached, `attempted` the one that it works on, has
    reached, or (phase `failed`) has refused.
    """

    boot: Annotated[int, Field(ge=1, le=2**31 - 1)]
    sequence: Annotated[int, Field(ge=1, le=2**31 - 1)]
    generation: Annotated[int, Field(ge=-1, le=2**31 - 2)]
    attempted: Annotated[int, Field(ge=-1, le=2**31 - 2)]
    phase: Literal["idle", "working", "failed"]
    healthy: bool
    serving: Annotated[list[ReportedModel], Field(max_length=2)]
    staged: Annotated[list[Sha], Field(max_length=2)]
    slots: Annotated[dict[Literal["a", "b"], ReportedModel | None], Field(max_length=2)]
    error: Annotated[str, Field(max_length=2000), AfterValidator(_plain)] | None
    traffic: Annotated[list[ReportedTraffic], Field(max_length=50)]
    p50_ms: Milliseconds | None
    p95_ms: Milliseconds | None
    memory_mb: Megabytes | None
    free_disk_mb: Megabytes | None
    address: Address | None
    agent: Short
    machine: ReportedMachine | None = None
    handed_over: Count = 0
    hand_over_failed: Count = 0
    handed_to: Short | None = None

    def stored(self) -> dict[str, Any]:
        """The report as it is kept."""
        return self.model_dump(mode="json", exclude={"boot", "sequence"})
