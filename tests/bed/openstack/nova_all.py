"""All of Nova in one process: conductor, scheduler, compute hosts and API.

usage: nova_all.py FD HOST,HOST... OPTIONS

They talk over oslo.messaging's in-memory transport.
"""

import os
import signal
import socket
import sys
import threading
import time
import traceback
import uuid
from pathlib import Path

from nova import monkey_patch

monkey_patch.patch(backend="threading")

import nova.virt
import os_brick
import os_vif
import shlex
import waitress
from nova import config, objects, service, utils
import nova.conf
from nova.api.openstack import wsgi_app
from nova.compute import rpcapi as compute_rpcapi
from nova.conductor import rpcapi as conductor_rpcapi
from nova.scheduler import rpcapi as scheduler_rpcapi
from oslo_log import log as logging
from oslo_privsep import priv_context
from oslo_service import opts as service_opts
from paste import deploy

from knobs import Knobs

fd, hosts, arguments = int(sys.argv[1]), sys.argv[2].split(","), sys.argv[3:]
CONF = nova.conf.CONF


def end(*error):
    """The services' threads are no daemons: without this a failed start would hang."""
    traceback.print_exception(*error)
    sys.stderr.flush()
    os._exit(1)


sys.excepthook = end
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
config.parse_args(["nova"] + arguments)
logging.setup(CONF, "nova")
service_opts.register_service_opts(CONF)
priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
objects.register_all()
os_brick.setup(CONF)
os_vif.initialize()
nova.virt.__path__.append(
    str(Path(__file__).parent / "virt")
)  # compute_driver names a module in nova.virt
# a compute service that starts again insists on this file; any uuid does
node = Path(CONF.state_path) / "compute_id"
node.parent.mkdir(parents=True, exist_ok=True)
if not node.exists():
    node.write_text(str(uuid.uuid4()))

running = {}


def start(host):
    running[host] = service.Service.create(
        host=host,
        binary="nova-compute",
        topic=compute_rpcapi.RPC_TOPIC,
        topic_alt=compute_rpcapi.RPC_TOPIC_ALT,
    )
    running[host].start()


def stop(host):
    """As after a crash: no RPC, no heartbeat, instances untouched.

    Service.stop() would end thread pools that all hosts share.
    """
    dead = running.pop(host)
    dead.tg.stop()
    dead.rpcserver.stop()
    dead.rpcserver_alt.stop()


def watch():
    knobs = Knobs(os.environ["STACK_DIR"])
    while True:
        stopped = knobs.get("stopped")
        for host in hosts:
            try:
                if host in stopped and host in running:
                    stop(host)
                elif host not in stopped and host not in running:
                    start(host)
            except Exception:
                traceback.print_exc()
        time.sleep(0.2)


for binary, topic in (
    ("nova-conductor", conductor_rpcapi.RPC_TOPIC),
    ("nova-scheduler", scheduler_rpcapi.RPC_TOPIC),
):
    service.Service.create(binary=binary, topic=topic).start()
for host in hosts:
    start(host)
threading.Thread(target=watch, daemon=True).start()
wsgi_app._setup_service(CONF.host, "osapi_compute")
application = deploy.loadapp(f"config:{CONF.wsgi.api_paste_config}", name="osapi_compute")
waitress.serve(
    application,
    sockets=[socket.socket(fileno=fd)],
    threads=8,
    ident=None,
    clear_untrusted_proxy_headers=False,
)
