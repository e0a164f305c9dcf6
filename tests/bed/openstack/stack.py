"""The services of one OpenStack, as processes of this one: started, watched, stopped with it.

None of them survives the launcher: each asks the kernel to be killed when its parent dies.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import openstack
import yaml

import certificates
import settings

HERE = Path(__file__).resolve().parent
# each is one WSGI module; Nova is a process of its own kind (nova_all.py)
MODULES = {
    "keystone": "keystone.wsgi.api",
    "placement": "placement.wsgi.api",
    "glance": "glance.wsgi.api",
    "neutron": "neutron.wsgi.api",
}
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


class Failed(Exception):
    """The stack cannot go on; the text is for people."""


class Stack:
    def __init__(self, directory, hosts, tls):
        self.directory, self.hosts, self.tls = directory, hosts, tls
        # opened here and handed down: no port can be lost to another program, and a client that
        # comes early just waits
        self.sockets = {name: self.listen() for name in (*settings.SERVICES, "front")}
        self.ports = {name: s.getsockname()[1] for name, s in self.sockets.items()}
        self.front = f"{'https' if tls else 'http'}://127.0.0.1:{self.ports['front']}"
        self.processes = {}
        etc = directory / "etc"
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join((str(HERE / "plugins"), str(HERE))),
            "PYTHONWARNINGS": "ignore",
            "PYTHONDONTWRITEBYTECODE": "1",
            "STACK_DIR": str(directory),
            "OS_NOVA_DISABLE_EVENTLET_PATCHING": "true",
            "OS_NEUTRON_CONFIG_FILES": "neutron.conf",
            **{f"OS_{name.upper()}_CONFIG_DIR": str(etc) for name in MODULES},
        }
        settings.configure(directory, self.ports)
        if tls:
            certificates.make(etc)
        self.write_access()
        # a service's socket stays open here when it ends, and who asks it would wait without end
        signal.signal(signal.SIGCHLD, lambda *_: self.check())

    @staticmethod
    def listen():
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        s.listen(1024)
        return s

    def write_access(self):
        """clouds.yaml is what a user has; access.json is for the bed, around the front door."""

        def cloud(user):
            entry = {
                "auth": {
                    "auth_url": f"{self.front}/identity/v3",
                    "username": user,
                    "password": settings.PASSWORDS[user],
                    "project_name": user,
                    "project_domain_name": "Default",
                    "user_domain_name": "Default",
                },
                "region_name": "RegionOne",
                "interface": "public",
            }
            if self.tls:
                entry["cacert"] = str(self.directory / "etc/ca.pem")
            return entry

        clouds = {"clouds": {user: cloud(user) for user in settings.PASSWORDS}}
        (self.directory / "clouds.yaml").write_text(yaml.safe_dump(clouds))
        access = {
            "front": self.front,
            "ports": self.ports,
            "users": settings.PASSWORDS,
        }
        (self.directory / "access.json").write_text(json.dumps(access))

    def start(self, name, program, *args, **environment):
        fd = self.sockets[name].fileno()
        with self.log(name).open("ab") as out:
            self.processes[name] = subprocess.Popen(
                [sys.executable, HERE / program, str(fd), *map(str, args)],
                env=self.environment | environment,
                pass_fds=[fd],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
            )

    def start_wsgi(self, *names):
        for name in names:
            if name == "placement":
                # it would wait for itself: plugins/sitecustomize.py says why
                self.start(name, "serve.py", 1, MODULES[name], SQLITE_BEGIN="deferred")
            else:
                self.start(name, "serve.py", 6, MODULES[name])

    def start_front(self):
        self.start("front", "front.py", self.directory)

    def start_nova(self):
        configuration = self.directory / "etc/nova.conf"
        self.start("nova", "nova_all.py", ",".join(self.hosts), "--config-file", configuration)

    def stop(self):
        """Ends every service, with the hooks that it may be running; the logs stay."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        running = [p for p in self.processes.values() if p.poll() is None]
        for process in running:
            os.killpg(process.pid, signal.SIGTERM)
        for process in running:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def log(self, name):
        return self.directory / "log" / f"{name}.out"

    def check(self):
        """Raises Failed, with the end of its log, for a service that ended by itself."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                end = "\n".join(self.log(name).read_text(errors="replace").splitlines()[-20:])
                raise Failed(f"{name} ended with {process.returncode}; {self.log(name)}:\n{end}")

    def connect(self):
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(self.directory / "clouds.yaml")
        return openstack.connect(cloud="admin")

    def wait(self, what, done, seconds=180):
        end, last = time.monotonic() + seconds, None
        while time.monotonic() < end:
            self.check()
            try:
                if done():
                    return
            except Exception as error:
                last = error
            time.sleep(0.1)
        raise Failed(f"waited {seconds} s in vain for {what}: {last}; {self.directory}/log")

    def wait_for_hosts(self, cloud):
        def all_up():
            answer = cloud.compute.get("/os-services?binary=nova-compute").json()["services"]
            return {s["host"] for s in answer if s["state"] == "up"} >= set(self.hosts)

        self.wait("the compute hosts", all_up)
