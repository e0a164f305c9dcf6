"""A real OpenStack (Keystone, Placement, Glance, Neutron, Nova with a fake hypervisor) on loopback.

  launch.py seed CACHE                      fills the databases once; quick when that is done
  launch.py run FOLDER --cache CACHE ...    copies them to FOLDER, starts the services, makes the
                                            file FOLDER/ready, and stops them when it is stopped

FOLDER is new or empty; afterwards it holds clouds.yaml (users demo and admin), knobs.json (the
faults asked for, see knobs.py) and log/.
"""

import argparse
import fcntl
import hashlib
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import seed
import settings
from knobs import Knobs
from stack import HERE, MODULES, Failed, Stack


def make_seed(cache, hosts):
    """The folder of filled databases. It depends on what fills them, and on the hosts' names."""
    sources = ("seed.py", "settings.py", "requirements.txt")
    parts = [(HERE / name).read_bytes() for name in sources] + [",".join(hosts).encode()]
    ready = cache / f"seed-{hashlib.sha256(b''.join(parts)).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "seed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            making = ready.with_suffix(".making")
            shutil.rmtree(making, ignore_errors=True)
            fill(making, hosts)
            making.rename(ready)
    return ready


def fill(making, hosts):
    making.mkdir()
    stack = Stack(making, hosts, tls=False)
    try:
        Knobs(making).create()
        seed.schemas(making, stack.environment)
        settings.relocate(making, stack.ports, stack.front)
        stack.start_front()
        stack.start_wsgi("keystone")
        seed.identity(stack.connect(), stack.ports, stack.front)
        stack.start_wsgi("placement", "glance", "neutron")
        stack.start_nova()
        cloud = stack.connect()  # again: the first one's catalogue was empty
        stack.wait_for_hosts(cloud)
        subprocess.run(
            [seed.BIN / "python", seed.BIN / "nova-manage"]
            + ["--config-file", making / "etc/nova.conf", "cell_v2", "discover_hosts"],
            env=stack.environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seed.contents(cloud)
    finally:
        stack.stop()
    seed.checkpoint(making)
    for folder in ("etc", "log", "lock"):
        shutil.rmtree(making / folder)


def warm_up(cloud):
    """The first server takes seconds longer than those after it."""
    flavor = cloud.compute.find_flavor("m1.small")
    [image], [network] = cloud.image.images(), cloud.network.networks()
    server = cloud.compute.create_server(
        name="warm-up",
        flavor_id=flavor.id,
        image_id=image.id,
        networks=[{"uuid": network.id}],
    )
    cloud.compute.wait_for_server(server, wait=120, interval=0.2)
    cloud.compute.delete_server(server)
    cloud.compute.wait_for_delete(server, wait=120, interval=0.2)


def run(given):
    directory = given.folder.resolve()
    if directory.exists() and any(directory.iterdir()):
        raise Failed(f"{directory} is not empty: give a new folder")
    shutil.copytree(make_seed(given.cache, given.hosts), directory, dirs_exist_ok=True)
    stack = Stack(directory, given.hosts, tls=True)
    try:
        knobs = Knobs(directory)
        knobs.create()
        settings.relocate(directory, stack.ports, stack.front)
        stack.start_wsgi(*MODULES)
        stack.start_nova()
        stack.start_front()
        cloud = stack.connect()
        seed.network(cloud, given.subnet, given.gateway, given.pool)
        stack.wait_for_hosts(cloud)
        warm_up(cloud)
        knobs.change(lambda values: values.update(hook=given.hook, boot_delay=given.boot_delay))
        (directory / "ready").touch()
        print(f"ready: {directory}/clouds.yaml", flush=True)
        while True:
            stack.check()
            time.sleep(1)
    finally:
        stack.stop()


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    making, running = commands.add_parser("seed"), commands.add_parser("run")
    making.add_argument("cache", type=Path)
    running.add_argument("folder", type=Path)
    running.add_argument("--cache", type=Path, required=True)
    running.add_argument("--hook", default="", help="what the hypervisor calls: virt/hooked.py")
    running.add_argument("--boot-delay", type=float, default=0, help="seconds from ACTIVE to boot")
    running.add_argument("--subnet", default="10.20.0.0/16", help="of demo's network")
    running.add_argument("--gateway", default="10.20.0.1", help="its gateway")
    first_and_last = ("10.20.0.2", "10.20.255.254")
    running.add_argument("--pool", nargs=2, default=first_and_last, metavar=("FIRST", "LAST"))
    for command in (making, running):
        hosts = {"type": lambda text: text.split(","), "default": ["c1", "c2", "c3"]}
        command.add_argument("--hosts", help="compute hosts, with commas between them", **hosts)
    return parser.parse_args()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    given = arguments()
    try:
        if given.command == "seed":
            print(make_seed(given.cache.resolve(), given.hosts))
        else:
            run(given)
    except Failed as error:
        sys.exit(f"openstack: {error}")
    except KeyboardInterrupt:
        pass


main()
