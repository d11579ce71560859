"""Evaluators that end the process they run in."""

import os
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dovetail.cosearch.studies.trial import TrialResult
from dovetail.errors import ImpossibleResult


@dataclass
class Deadly:
    """Each value of ``n`` notes its evaluations; some end their worker, some raise."""

    folder: Path
    always: int = -1
    once: int = -1
    wrong: int = -1
    sleep_s: float = 0.0

    def evaluate(self, values):
        n = values["n"]
        tries = self.folder / str(n)
        with tries.open("a") as file:
            file.write(f"{os.getpid()}\n")
        if n == self.always or (n == self.once and len(tries.read_text().split()) == 1):
            os._exit(3)
        if n == self.wrong:
            raise ImpossibleResult(f"n = {n} is below the roofline")
        time.sleep(self.sleep_s)
        return TrialResult("ok", {"n": n})

    def tries(self, n):
        return [int(pid) for pid in (self.folder / str(n)).read_text().split()]

    @contextmanager
    def killed(self, n):
        """Inside, whoever evaluates ``n`` is killed once, soon after it began."""

        def kill():
            while not (self.folder / str(n)).exists():
                time.sleep(0.02)
            time.sleep(0.1)
            os.kill(self.tries(n)[0], signal.SIGKILL)

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        yield
        killer.join()


class Stillborn:
    def __setstate__(self, state):
        os._exit(4)

    def __getstate__(self):
        return {"a": 1}

    def evaluate(self, values):
        raise AssertionError
