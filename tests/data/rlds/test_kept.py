import subprocess
import sys

from octoverse.data.rlds.kept import Kept


def test_the_least_recently_used_is_dropped_first() -> None:
    kept = Kept(30)
    for name in "abc":
        kept.put(name, name.upper(), 10)
    assert kept.get("a") == "A"
    kept.put("d", "D", 10)
    assert [kept.get(name) for name in "abcd"] == ["A", None, "C", "D"] and kept.size == 30


def test_the_bound_holds_whatever_is_put() -> None:
    kept = Kept(30)
    kept.put("a", 1, 20)
    kept.put("a", 2, 25)
    assert (kept.get("a"), kept.size) == (2, 25)
    kept.put("large", 3, 31)
    assert kept.get("large") is None and kept.get("a") == 2
    kept.put("b", 4, 30)
    assert kept.get("a") is None and kept.size == 30


def test_a_forked_process_does_not_wait_for_a_thread_that_it_does_not_have() -> None:
    script = (
        "import os\n"
        "from octoverse.data.rlds.kept import Kept\n"
        "kept = Kept(30)\n"
        "kept.put('a', 1, 10)\n"
        "with kept._lock:\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        os._exit(0 if kept.get('a') == 1 else 1)\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
