"""The faults asked for: one JSON file, which the services read at each use, under its own lock."""

import copy
import fcntl
import json
from pathlib import Path

DEFAULTS = {
    "hook": "",
    "boot_delay": 0.0,
    "build_delay": 0.0,
    "destroy_delay": 0.0,
    "no_valid_host": 0,
    "spawn_abort": 0,
    "spawn_reschedule": 0,
    "stopped": [],
    "http": [],
}


class Knobs:
    def __init__(self, directory):
        self.path = Path(directory) / "knobs.json"

    def create(self, **values):
        self.path.write_text(json.dumps(copy.deepcopy(DEFAULTS) | values))

    def change(self, how):
        with self.path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            values = json.load(file)
            result = how(values)
            file.seek(0)
            file.truncate()
            json.dump(values, file)
            file.flush()
        return result

    def all(self):
        with self.path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            return json.load(file)

    def get(self, name):
        return self.all()[name]

    def set(self, name, value):
        self.change(lambda values: values.update({name: value}))

    def take(self, name):
        """One of a counted fault, if any is left."""
        if not self.get(name):
            return False

        def one(values):
            left = values[name]
            values[name] = max(0, left - 1)
            return left > 0

        return self.change(one)
