"""What a body sees and what it does, in numbers with names and units.

Specs are msgspec structs: the same object is written in a plug-in's file, stored in a checkpoint
and sent in the server's handshake, so there is no second schema to drift.
"""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from octoverse.errors import SpecMismatch, UnknownName

if TYPE_CHECKING:
    import gymnasium


class _Numbers(msgspec.Struct, frozen=True, kw_only=True):
    names: tuple[str, ...]
    units: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        sizes = {len(self.names), len(self.units), len(self.low), len(self.high)}
        if len(sizes) != 1:
            raise ValueError(
                f"names, units, low and high must have one length, got {len(self.names)}, "
                f"{len(self.units)}, {len(self.low)} and {len(self.high)}."
            )
        _check_names("names", self.names)
        for name, low, high in zip(self.names, self.low, self.high, strict=True):
            if not (_is_finite(low) and _is_finite(high) and low < high):
                raise ValueError(
                    f"{name}: low and high must be finite Python floats, low below high, "
                    f"got {low!r} and {high!r}."
                )

    @property
    def size(self) -> int:
        """How many numbers a there are in one step."""
        return len(self.names)


class Camera(msgspec.Struct, frozen=True, kw_only=True, tag="camera"):
    """Images, uint8 (height, width, 3), RGB."""

    height: int
    width: int
    role: str
    """What the view is for: primary, wrist, front, left, right, ..."""
    calibrated: bool = False
    """Whether intrinsics and extrinsics travel with the data."""
    optional: bool = False

    def __post_init__(self) -> None:
        _check_positive(height=self.height, width=self.width)


class State(_Numbers, frozen=True, kw_only=True, tag="state"):
    """One measured vector, float32 (n,), in the stated units."""

    optional: bool = False


class EgoHistory(msgspec.Struct, frozen=True, kw_only=True, tag="ego_history"):
    """Past poses, float32 (steps, 3), oldest first, the last one at the time of observation.

    Each is x [m], y [m], heading [rad] in the rear-axle frame at the time of observation, so the
    last row is zero.
    """

    steps: int
    hz: float
    optional: bool = False

    def __post_init__(self) -> None:
        _check_positive(steps=self.steps, hz=self.hz)


class Instruction(msgspec.Struct, frozen=True, kw_only=True, tag="instruction"):
    """What to do, in words (str)."""

    optional: bool = False


class Command(msgspec.Struct, frozen=True, kw_only=True, tag="command"):
    """One of a few named commands, as its index, int64 ()."""

    names: tuple[str, ...]
    optional: bool = False

    def __post_init__(self) -> None:
        _check_names("names", self.names)


class Route(msgspec.Struct, frozen=True, kw_only=True, tag="route"):
    """Where to go, float32 (points, 2): x, y [m] in the rear-axle frame, nearest first."""

    points: int
    optional: bool = False

    def __post_init__(self) -> None:
        _check_positive(points=self.points)


class GoalImage(msgspec.Struct, frozen=True, kw_only=True, tag="goal_image"):
    """What the named camera should see in the end, uint8 (height, width, 3), RGB."""

    camera: str
    height: int
    width: int
    optional: bool = True

    def __post_init__(self) -> None:
        _check_positive(height=self.height, width=self.width)


Stream = Camera | State | EgoHistory | Instruction | Command | Route | GoalImage
NumericStream = State | EgoHistory | Route
"""Streams of measured numbers: they have statistics, and codecs may refer to them."""


class EndEffectorDelta(_Numbers, frozen=True, kw_only=True, tag="end_effector_delta"):
    """Change of the commanded tool pose in one control step, in the robot's base frame."""

    names: tuple[str, ...] = ("dx", "dy", "dz", "droll", "dpitch", "dyaw")
    units: tuple[str, ...] = ("m", "m", "m", "rad", "rad", "rad")
    low: tuple[float, ...] = (-0.1, -0.1, -0.1, -0.5, -0.5, -0.5)
    high: tuple[float, ...] = (0.1, 0.1, 0.1, 0.5, 0.5, 0.5)


class JointPosition(_Numbers, frozen=True, kw_only=True, tag="joint_position"):
    """Joint angles [rad] or slides [m] to go to."""


class JointVelocity(_Numbers, frozen=True, kw_only=True, tag="joint_velocity"):
    """Joint velocities [rad/s] or [m/s] to keep for one control step."""


class Gripper(_Numbers, frozen=True, kw_only=True, tag="gripper"):
    """How far the gripper is to be open: 1 = open, 0 = closed."""

    names: tuple[str, ...] = ("opening",)
    units: tuple[str, ...] = ("1",)
    low: tuple[float, ...] = (0.0,)
    high: tuple[float, ...] = (1.0,)


class Twist(_Numbers, frozen=True, kw_only=True, tag="twist"):
    """Velocity of a mobile base in its own frame."""

    names: tuple[str, ...] = ("vx", "vy", "yaw_rate")
    units: tuple[str, ...] = ("m/s", "m/s", "rad/s")
    low: tuple[float, ...] = (-1.0, -1.0, -1.0)
    high: tuple[float, ...] = (1.0, 1.0, 1.0)


class Waypoints(_Numbers, frozen=True, kw_only=True, tag="waypoints"):
    """Where the rear axle is to be; row i, counted from 0, is reached (i + 1) / hz seconds on.

    A chunk is (steps, 3): x [m], y [m], heading [rad] in the rear-axle frame at observation.
    """

    steps: int
    hz: float
    names: tuple[str, ...] = ("x", "y", "heading")
    units: tuple[str, ...] = ("m", "m", "rad")
    low: tuple[float, ...] = (-500.0, -500.0, -6.3)
    high: tuple[float, ...] = (500.0, 500.0, 6.3)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive(steps=self.steps, hz=self.hz)


class AccelerationCurvature(_Numbers, frozen=True, kw_only=True, tag="acceleration_curvature"):
    """Controls of a unicycle; a chunk is (steps, 2), one row every 1 / hz seconds."""

    steps: int
    hz: float
    names: tuple[str, ...] = ("acceleration", "curvature")
    units: tuple[str, ...] = ("m/s^2", "1/m")
    low: tuple[float, ...] = (-10.0, -0.33)
    high: tuple[float, ...] = (10.0, 0.33)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive(steps=self.steps, hz=self.hz)


class Pedals(_Numbers, frozen=True, kw_only=True, tag="pedals"):
    """Steering (1 = full left) and throttle (1 = full ahead, negative = brake or reverse)."""

    names: tuple[str, ...] = ("steering", "throttle")
    units: tuple[str, ...] = ("1", "1")
    low: tuple[float, ...] = (-1.0, -1.0)
    high: tuple[float, ...] = (1.0, 1.0)


class Terminate(_Numbers, frozen=True, kw_only=True, tag="terminate"):
    """Whether the task is done: 1 = done."""

    names: tuple[str, ...] = ("done",)
    units: tuple[str, ...] = ("1",)
    low: tuple[float, ...] = (0.0,)
    high: tuple[float, ...] = (1.0,)


ActionGroup = (
    EndEffectorDelta
    | JointPosition
    | JointVelocity
    | Gripper
    | Twist
    | Waypoints
    | AccelerationCurvature
    | Pedals
    | Terminate
)
PathGroup = Waypoints | AccelerationCurvature
"""Groups whose one action is a whole path with its own steps and rate."""


class SafeStop(msgspec.Struct, frozen=True, kw_only=True):
    """What the body does when actions stop coming.

    hold: deltas and velocities go to zero, positions and grippers keep their last value.
    zero: every number goes to zero.
    brake: follow the last path, slowing down at `deceleration` [m/s^2] to a stand.
    """

    kind: Literal["hold", "zero", "brake"]
    deceleration: float = 3.0

    def __post_init__(self) -> None:
        _check_positive(deceleration=self.deceleration)


class Embodiment(msgspec.Struct, frozen=True, kw_only=True):
    """One body: the streams it sees, the action groups it moves, and its control rate."""

    name: str
    control_hz: float
    observation: dict[str, Stream]
    action: dict[str, ActionGroup]
    safe_stop: SafeStop

    def __post_init__(self) -> None:
        _check_positive(control_hz=self.control_hz)
        if not self.observation or not self.action:
            raise ValueError(f"'{self.name}' must see at least one stream and move one group.")
        if self.safe_stop.kind == "brake" and not any(
            isinstance(group, Waypoints) for group in self.action.values()
        ):
            raise ValueError(f"'{self.name}': safe_stop 'brake' needs a Waypoints action group.")
        for name, stream in self.observation.items():
            if isinstance(stream, GoalImage) and stream.camera not in self.cameras:
                raise UnknownName(f"camera for '{self.name}.{name}'", stream.camera, self.cameras)

    @property
    def fingerprint(self) -> str:
        """Hash of the meaning: names, units, frames, rates and groups; not of camera sizes."""
        meaning = msgspec.json.encode(_meaning(self), order="deterministic")
        return hashlib.sha256(meaning).hexdigest()[:16]

    @property
    def cameras(self) -> dict[str, Camera]:
        """The camera streams, by name."""
        return {k: v for k, v in self.observation.items() if isinstance(v, Camera)}

    def check_frame(self, frame: Mapping[str, Any]) -> None:
        """Raise SpecMismatch unless `frame` is one complete observation of this body."""
        for name in frame:
            if name not in self.observation:
                raise UnknownName(f"stream of '{self.name}'", name, self.observation)
        for name, stream in self.observation.items():
            if name in frame:
                check_stream(f"{self.name}.{name}", stream, frame[name])
            elif not stream.optional:
                raise SpecMismatch(
                    f"{self.name}.{name}: expected its {kind_of(stream)}, got nothing. "
                    "Send it in every frame, or declare it optional in the embodiment."
                )

    def check_action(self, action: Mapping[str, Any]) -> None:
        """Raise SpecMismatch unless `action` is one complete step of action of this body."""
        for name in action:
            if name not in self.action:
                raise UnknownName(f"action group of '{self.name}'", name, self.action)
        for name, group in self.action.items():
            if name not in action:
                raise SpecMismatch(f"{self.name}.{name}: expected an action, got nothing.")
            shape = (group.steps, group.size) if isinstance(group, PathGroup) else (group.size,)
            check_numbers(f"{self.name}.{name}", group, action[name], shape)

    @property
    def observation_space(self) -> "gymnasium.spaces.Dict":
        """The same streams as a Gymnasium space."""
        from gymnasium import spaces

        return spaces.Dict({k: _stream_space(v) for k, v in self.observation.items()})

    @property
    def action_space(self) -> "gymnasium.spaces.Dict":
        """The same action groups as a Gymnasium space."""
        from gymnasium import spaces

        found: dict[str, spaces.Space[Any]] = {}
        for name, group in self.action.items():
            low, high = np.array([group.low, group.high], dtype=np.float32)
            if isinstance(group, PathGroup):
                low, high = np.tile(low, (group.steps, 1)), np.tile(high, (group.steps, 1))
            found[name] = spaces.Box(low, high, dtype=np.float32)
        return spaces.Dict(found)


def differences(ours: Embodiment, theirs: Embodiment) -> list[str]:
    """List in words where two specs differ in meaning; empty where they can work together.

    Camera sizes and calibration may differ, and optional streams may be absent on either side.
    """
    found = []
    mine, other = _meaning(ours), _meaning(theirs)
    if mine["control_hz"] != other["control_hz"]:
        found.append(f"control_hz: {mine['control_hz']} here, {other['control_hz']} there")
    for side, here, there in (
        ("observation", ours.observation, theirs.observation),
        ("action", ours.action, theirs.action),
    ):
        for name in sorted({*here, *there}):
            if name not in here or name not in there:
                present = here.get(name) or there[name]
                if not getattr(present, "optional", False):
                    where = "here, missing there" if name in here else "there, missing here"
                    found.append(f"{side}.{name}: {where}")
                continue
            left, right = mine[side][name], other[side][name]
            for field in sorted({*left, *right}):
                if left.get(field) != right.get(field):
                    found.append(
                        f"{side}.{name}.{field}: {left.get(field)!r} here, "
                        f"{right.get(field)!r} there"
                    )
    return found


def rows_of(group: ActionGroup, horizon: int) -> int:
    """Rows of a chunk of this group: a path has its own, others as many as control steps."""
    return group.steps if isinstance(group, PathGroup) else horizon


def rate_of(group: ActionGroup, body: Embodiment) -> float:
    """Rows per second of a chunk of this group."""
    return group.hz if isinstance(group, PathGroup) else body.control_hz


def kind_of(part: Stream | ActionGroup) -> str:
    """What a stream or an action group is, in words, such as "end effector delta"."""
    return str(type(part).__struct_config__.tag).replace("_", " ")


def stream_shape(stream: Stream) -> tuple[int, ...]:
    """Shape of one value of a stream; () for an instruction or a command."""
    match stream:
        case Camera() | GoalImage():
            return (stream.height, stream.width, 3)
        case State():
            return (len(stream.names),)
        case EgoHistory():
            return (stream.steps, 3)
        case Route():
            return (stream.points, 2)
        case Instruction() | Command():
            return ()


def check_stream(what: str, stream: Stream, value: Any) -> None:
    """Raise SpecMismatch unless `value` is one value of `stream`."""
    if isinstance(stream, Instruction):
        if not isinstance(value, str):
            raise SpecMismatch(f"{what}: expected words (str), got {type(value).__name__}.")
        return
    if isinstance(stream, State):
        check_numbers(what, stream, value, (len(stream.names),))
        return
    value, shape = _as_array(what, value), stream_shape(stream)
    if isinstance(stream, Camera | GoalImage) and value.dtype != np.uint8:
        raise SpecMismatch(
            f"{what}: expected uint8 RGB from 0 to 255, got {value.dtype}. "
            "If it is a float image in [0, 1], send (image * 255).astype('uint8')."
        )
    if value.shape != shape:
        raise SpecMismatch(f"{what}: expected shape {shape}, got {value.shape}.")
    if isinstance(stream, Command):
        if not np.issubdtype(value.dtype, np.integer):
            raise SpecMismatch(f"{what}: expected an integer index, got {value.dtype}.")
        if not 0 <= value < len(stream.names):
            raise SpecMismatch(
                f"{what}: expected an index from 0 to {len(stream.names) - 1} "
                f"({', '.join(stream.names)}), got {int(value)}."
            )
    elif isinstance(stream, EgoHistory | Route):
        _check_real(what, value)
        _check_finite(what, value)


def check_numbers(
    what: str, numbers: State | ActionGroup, value: Any, shape: tuple[int, ...]
) -> None:
    """Raise SpecMismatch unless `value` has this shape, is finite and within its limits."""
    value = _as_array(what, value)
    _check_real(what, value)
    if value.shape != shape:
        raise SpecMismatch(
            f"{what}: expected shape {shape} ({', '.join(numbers.names)}), got {value.shape}."
        )
    _check_finite(what, value, numbers.names)
    low, high = np.asarray(numbers.low), np.asarray(numbers.high)
    margin = 1e-4 * (1.0 + np.abs(high - low))
    outside = np.argwhere((value < low - margin) | (value > high + margin))
    if outside.size:
        place = tuple(int(i) for i in outside[0])
        i = place[-1]
        unit = "" if numbers.units[i] == "1" else f" {numbers.units[i]}"
        raise SpecMismatch(
            f"{what}[{numbers.names[i]}]: expected {numbers.low[i]:g} to {numbers.high[i]:g}"
            f"{unit}, got {float(value[place]):.4g}{unit}."
        )


def _as_array(what: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise SpecMismatch(f"{what}: expected an array, got a ragged list ({error}).") from error


def _check_real(what: str, value: np.ndarray) -> None:
    if value.dtype.kind not in "fiu":
        raise SpecMismatch(f"{what}: expected float32, got {value.dtype}.")


def _check_finite(what: str, value: np.ndarray, names: tuple[str, ...] = ()) -> None:
    bad = np.argwhere(~np.isfinite(value))
    if bad.size:
        place = tuple(int(i) for i in bad[0])
        name = names[place[-1]] if names else ", ".join(map(str, place))
        raise SpecMismatch(
            f"{what}[{name}]: expected a finite number, got {value[place]}. "
            "Look for a sensor that was not ready or a division by zero."
        )


def _is_finite(number: Any) -> bool:
    # Exactly float or int: msgspec cannot write NumPy's scalars.
    return type(number) in (float, int) and bool(np.isfinite(number))


def _check_positive(**numbers: float) -> None:
    for name, number in numbers.items():
        if not (_is_finite(number) and number > 0):
            raise ValueError(f"{name} must be a Python number above 0, got {number!r}.")


def _check_names(what: str, names: tuple[str, ...]) -> None:
    if not names or "" in names or len(set(names)) != len(names):
        raise ValueError(f"{what} must be given, not empty and distinct, got {names!r}.")


def _meaning(body: Embodiment) -> dict[str, Any]:
    # Through the types once, so that a body written with control_hz=10 means the same as with 10.0.
    plain = msgspec.to_builtins(msgspec.convert(msgspec.to_builtins(body), Embodiment))
    for stream in plain["observation"].values():
        for size in ("height", "width", "calibrated", "optional"):
            stream.pop(size, None)
    del plain["safe_stop"], plain["name"]
    result: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(plain))
    return result


def _stream_space(stream: Stream) -> Any:
    from gymnasium import spaces

    match stream:
        case Camera() | GoalImage():
            return spaces.Box(0, 255, stream_shape(stream), np.uint8)
        case State():
            low, high = np.array([stream.low, stream.high], dtype=np.float32)
            return spaces.Box(low, high, dtype=np.float32)
        case EgoHistory() | Route():
            return spaces.Box(-np.inf, np.inf, stream_shape(stream), np.float32)
        case Command():
            return spaces.Discrete(len(stream.names))
        case Instruction():
            letters = "".join(map(chr, range(32, 127)))
            return spaces.Text(max_length=500, min_length=0, charset=letters)
