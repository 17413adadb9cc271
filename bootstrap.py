"""Makes `.venv` with everything that requirements.lock pins and the three packages of this checkout. `make setup`.

Nothing but Python's standard library is assumed: uv, which installs, is fetched by pip into the cache folder
($PLIMSOLL_HOME, else ~/.cache/plimsoll). When nothing has changed since the last time, it takes a fraction of a second.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said before anything that an older Python would stumble over
    found = ".".join(str(number) for number in sys.version_info[:2])
    sys.exit("Plimsoll needs Python 3.11 or newer, and this is " + found + ". Name one: make setup PYTHON=python3.12")

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "plimsoll-stamp"
LOCK = ROOT / "requirements.lock"
PACKAGES = ("operator", "server", "sandbox")

UV = "0.13.8"
UV_REQUIREMENT = f"""uv=={UV} \\
    --hash=sha256:e18a57b8b352eb7c8feb317b9f6f533c8f0ad9673fd6cf34bbe3cf1a9f6a8984 \\
    --hash=sha256:0b3e8b1a4f5e405e31e2ff33de8af4744831e9f7338539671efbd8c3c94e791d \\
    --hash=sha256:5337c30bb893b4f9ce0ceb921ba2da0d13f649da644f40ad3bef84083bef0203 \\
    --hash=sha256:29451c60f5e8b07403e0a175d5229efc36b0289b34143ff4aaa499a5dd52553a
"""
NEEDED_GIB = 8.0  # PyTorch with its CUDA libraries is nearly all of it
NEEDED_FOR_CHANGES_GIB = 1.0
DEADLINE_SECONDS = 1800
LOCK_DEADLINE_SECONDS = 3600
HEARTBEAT_SECONDS = 15
ANOTHER_DISK = "free some space, or set PLIMSOLL_HOME to a folder on another disk"

# The kernel ends the command when we die, even by SIGKILL, so that it does not work on beside the next one.
DIE_WITH_PARENT = (
    "import ctypes, os, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGKILL); os.execv(sys.argv[1], sys.argv[1:])"
)

# The registry is the business of the machine's settings: its address is not repeated here.
ADDRESS = re.compile(r"(\w+://)[^/\s'\"`)]+|(host=|lookup )['\"]?[A-Za-z0-9.:-]+['\"]?")
NO_NETWORK = re.compile(
    r"dns error|connect error|error sending request|NewConnectionError|name resolution|Max retries|timed out"
    r"|Connection refused|Network is unreachable|No matching distribution",
    re.IGNORECASE,
)


class SetupError(Exception):
    """The message says what was expected, what was found, and what to do."""


def main() -> int:
    """Exit status: 0 when the environment is there and current."""
    wanted = fingerprint()
    if is_current(wanted):
        return 0
    try:
        with only_one():
            if not is_current(wanted):  # another one may have been faster
                install(wanted)
    except SetupError as error:
        sys.stderr.write(f"\nmake setup: {error}\n")
        return 1
    return 0


def fingerprint() -> str:
    """Changes whenever the environment has to. The folder counts, because the environment's scripts name it."""
    digest = hashlib.sha256(f"{sys.version}\0{ROOT}\0".encode())
    for path in (Path(__file__), LOCK, *(ROOT / package / "pyproject.toml" for package in PACKAGES)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def is_current(wanted: str) -> bool:
    """Whether the last installation was this one, and went through."""
    return STAMP.is_file() and STAMP.read_text() == wanted and PYTHON.exists()


def install(wanted: str) -> None:
    """Make the environment, or bring it up to date."""
    require_room(home())
    require_room(ROOT)
    uv = str(uv_program())
    STAMP.unlink(missing_ok=True)  # from here to the end the environment is not to be trusted
    if not has_same_python():
        run("Making .venv", [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)])
    pinned = sum(not line.startswith((" ", "#")) for line in LOCK.read_text().splitlines())
    run(
        f"Installing what requirements.lock pins ({pinned} packages; PyTorch alone is 2 to 3 GB to fetch)",
        [uv, "pip", "sync", "--python", str(PYTHON), "--require-hashes", str(LOCK)],
    )
    editable = [part for package in PACKAGES for part in ("--editable", str(ROOT / package))]
    run(
        "Linking the operator, the server and the sandbox of this checkout",
        [uv, "pip", "install", "--python", str(PYTHON), "--no-deps", "--no-build-isolation", *editable],
    )
    partial = STAMP.with_suffix(".partial")
    partial.write_text(wanted)
    partial.rename(STAMP)
    say(f"The Python environment is ready: {VENV}")


def has_same_python() -> bool:
    """Whether .venv is there and of the Python that runs this."""
    return PYTHON.exists() and ask(str(PYTHON), "-c", "import sys; print(sys.version)") == sys.version


def uv_program() -> Path:
    """uv of the pinned version: the machine's own when it is exactly that one, else fetched once into the cache."""
    own = shutil.which("uv")
    if own and UV in (ask(own, "--version") or "").split():
        return Path(own)
    folder = home() / "tools" / f"uv-{UV}"
    if not folder.is_dir():
        fetch_uv(folder)
    return folder / "bin" / "uv"


def fetch_uv(folder: Path) -> None:
    """Install uv by pip, verified by its hash, in a folder that appears complete or not at all."""
    make_folder(folder.parent)
    with tempfile.TemporaryDirectory(prefix=".partial-uv-", dir=folder.parent) as name:
        partial = Path(name)
        requirements = partial / "requirements.txt"
        requirements.write_text(UV_REQUIREMENT)
        options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-cache-dir"]
        run(
            f"Fetching uv {UV}, which installs Python packages (20 MB, once)",
            [*pip(partial), "install", *options, "--target", str(partial / "uv"), "-r", str(requirements)],
        )
        (partial / "uv").rename(folder)


def pip(temporary: Path) -> list[str]:
    """The command for pip: this Python's own, else one in a throw-away environment."""
    if ask(sys.executable, "-m", "pip", "--version"):
        return [sys.executable, "-m", "pip"]
    if ask(sys.executable, "-m", "venv", str(temporary / "pip")) is None:
        raise SetupError(
            f"{sys.executable} has neither pip nor a working venv module, and fetching uv takes one of them.\n"
            "On Debian and Ubuntu: apt install python3-venv. Elsewhere: install pip for this Python."
        )
    return [str(temporary / "pip" / "bin" / "python"), "-m", "pip"]


def ask(*command: str) -> str | None:
    """What a short command prints; None when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)  # noqa: S603
    return done.stdout.removesuffix("\n") if done.returncode == 0 else None


def run(purpose: str, command: list[str]) -> None:
    """Run a long command: output in a log, a line every few seconds, a deadline, nothing left running."""
    say(purpose)
    log = make_folder(home() / "tools" / "logs") / "setup.log"
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603 - the arguments are ours
            [sys.executable, "-I", "-S", "-c", DIE_WITH_PARENT, *command],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            wait(process, purpose)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode != 0:
        raise SetupError(f"{purpose}: failed with status {process.returncode}. {diagnosis(log)}")


def wait(process: "subprocess.Popen[bytes]", purpose: str) -> None:
    started = time.monotonic()
    while time.monotonic() < started + DEADLINE_SECONDS:
        try:
            process.wait(HEARTBEAT_SECONDS)
        except subprocess.TimeoutExpired:
            say(f"  … {time.monotonic() - started:.0f} s")
        else:
            return
    raise SetupError(f"{purpose}: not done after {DEADLINE_SECONDS} s. Is the network very slow? Start again to go on.")


def diagnosis(log: Path) -> str:
    """What to do, the log's path, and its end."""
    text = log.read_text(errors="replace")
    advice = ""
    if "No space left on device" in text:
        advice = f"The disk is full: {ANOTHER_DISK}."
    elif NO_NETWORK.search(text):
        advice = (
            "The package registry could not be reached: check the network and the settings of its proxy (HTTPS_PROXY, "
            "or PIP_INDEX_URL for a mirror), then start again; what is there is kept."
        )
    shown = [ADDRESS.sub(r"\1\2…", line) for line in text.splitlines()[-12:]]
    return "\n  ".join([f"{advice}\nLog: {log}", *shown])


def environment() -> dict[str, str]:
    """The caller's, with uv's cache in our folder and pip's index, where one is set, for uv too."""
    settings = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    settings.setdefault("UV_CACHE_DIR", str(home() / "uv-cache"))
    settings.setdefault("UV_PYTHON_DOWNLOADS", "never")
    if "PIP_INDEX_URL" in settings and "UV_INDEX_URL" not in settings:
        settings.setdefault("UV_DEFAULT_INDEX", settings["PIP_INDEX_URL"])
    return settings


def home() -> Path:
    """The folder of everything that Plimsoll caches, the same as `plimsoll_sandbox.toolchain.plimsoll_home`."""
    chosen = os.environ.get("PLIMSOLL_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().absolute() / "plimsoll"


def make_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"The folder {folder} cannot be made: {error.strerror}. "
            "Make it writable, or set PLIMSOLL_HOME to a folder that is."
        ) from error
    return folder


def require_room(folder: Path) -> None:
    needed_gib = NEEDED_FOR_CHANGES_GIB if PYTHON.exists() else NEEDED_GIB
    free_gib = shutil.disk_usage(make_folder(folder)).free / 2**30
    if free_gib < needed_gib:
        raise SetupError(
            f"The disk of {folder} has {free_gib:.1f} GiB free, and the Python environment needs {needed_gib:.0f} GiB: "
            f"{ANOTHER_DISK} (the checkout itself holds .venv)."
        )


@contextmanager
def only_one() -> Iterator[None]:
    """Hold the lock under which the environment is changed; the kernel frees it when its holder dies."""
    with (make_folder(home() / "tools") / "setup.lock").open("w") as file:
        if not locked(file):
            say("Another `make setup` is running: waiting for it")
        deadline = time.monotonic() + LOCK_DEADLINE_SECONDS
        while not locked(file):
            if time.monotonic() > deadline:
                raise SetupError(f"Another `make setup` has held {file.name} for an hour: end it, then start again.")
            time.sleep(0.2)
        yield


def locked(file: TextIO) -> bool:
    """Take the lock, which is no harm when it is held already."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def say(message: str) -> None:
    sys.stdout.write(f"{message}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
