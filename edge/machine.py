"""What kind of machine this is: memory, disk, accelerator, battery, network, runtimes.

Read from Linux' own files; what is not there is unknown. `machine.json` in the device's folder goes
before what was read: whoever builds a device knows it best.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

MODULES = {
    "onnx": "onnxruntime",
    "openvino": "openvino",
    "executorch": "executorch",
    "llamacpp": "xllamacpp",
}
"""The Python package of each runtime."""
_POWER, _NET, _DEV = Path("/sys/class/power_supply"), Path("/sys/class/net"), Path("/dev")


@dataclass(frozen=True, slots=True)
class Machine:
    """What a report says of the machine; units as in `tools/devices/types.py`."""

    memory_mb: float | None = None
    disk_mb: float | None = None
    accelerator: str = "none"
    battery_percent: float | None = None
    charging: bool | None = None
    network: str = "unknown"
    runtimes: tuple[str, ...] = ("onnx",)


def machine_of(home: Path) -> Machine:
    """The machine as it is now.

    Args:
        home: the device's folder; models lie on its disk.
    """
    percent, charging = _battery()
    found = Machine(
        memory_mb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 20)),
        disk_mb=round(shutil.disk_usage(home).total / (1 << 20)),
        accelerator=_accelerator(),
        battery_percent=percent,
        charging=charging,
        network=_network(),
        runtimes=tuple(n for n, module in MODULES.items() if importlib.util.find_spec(module)),
    )
    return replace(found, **_told(home))


def _told(home: Path) -> dict[str, Any]:
    try:
        data = json.loads((home / "machine.json").read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(data, dict):
        return {}
    told = cast(dict[str, Any], data)
    return {f.name: told[f.name] for f in fields(Machine) if f.name in told}


def _battery() -> tuple[float | None, bool | None]:
    try:
        for supply in sorted(_POWER.iterdir()):
            if (supply / "type").read_text().strip() == "Battery":
                status = (supply / "status").read_text().strip()
                return float((supply / "capacity").read_text()), status != "Discharging"
    except (OSError, ValueError):
        pass
    return None, None


def _accelerator() -> str:
    if (_DEV / "accel").is_dir():
        return "npu"
    return "gpu" if (_DEV / "nvidia0").exists() or (_DEV / "dri/renderD128").exists() else "none"


def _network() -> str:
    """The class of the interface that is up; the cheapest one if there are several."""
    try:
        up = [i for i in _NET.iterdir() if (i / "operstate").read_text().strip() == "up"]
    except OSError:
        return "unknown"
    classes = {_class_of(interface) for interface in up}
    return next((c for c in ("ethernet", "wifi", "cellular") if c in classes), "unknown")


def _class_of(interface: Path) -> str:
    if (interface / "wireless").is_dir():
        return "wifi"
    return "cellular" if interface.name.startswith(("ww", "rmnet", "ppp")) else "ethernet"
