"""Say whether this machine can render without a screen, and what to install if it cannot."""

import os
import sys


def main() -> None:
    """Make one GL context; leave with 1 and the cure if that fails."""
    if sys.platform.startswith("linux"):
        os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        import mujoco

        context = mujoco.GLContext(16, 16)
        context.make_current()
    except Exception as error:  # mujoco raises whatever its loader of the driver raised
        print(
            f"No GL driver for rendering without a screen (MUJOCO_GL={os.environ['MUJOCO_GL']}): "
            f"{error}\nOn Debian or Ubuntu install one:\n\n"
            "  apt-get install -y libegl1 libgl1 libegl-mesa0 libgles2\n",
            file=sys.stderr,
        )
        code = 1
    else:
        code = 0
    sys.stderr.flush()
    os._exit(code)  # EGL complains while the interpreter is taken apart


if __name__ == "__main__":
    main()
