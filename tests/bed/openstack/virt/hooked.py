"""Nova's fake hypervisor, with a hook: a program that is told what happens to each server.

So a test can let a node join when its server has booted. The program gets one JSON object on
standard input: `event`, and the server's uuid, name, host, metadata, tags, user_data (base64) and
so on (`describe`). Events, in order for one server:

  spawn      before it is ACTIVE; if the program fails, the build is aborted: status ERROR
  boot       `boot_delay` seconds after a spawn, reboot or power_on, unless it was stopped
             meanwhile: the guest is up
  reboot, power_off, destroy    the guest is gone; if the program fails, so does the call
  power_on   the guest starts; likewise

A rebuild is destroy and spawn. Events of one server may overlap: a destroy during a slow boot.
"""

import json
import os
import subprocess
import threading
import time
import uuid

from nova import exception
from nova.virt import fake

from knobs import Knobs

knobs = Knobs(os.environ["STACK_DIR"])


def describe(event, instance, network_info=None):
    network_info = network_info or instance.get_network_info()
    return {
        "event": event,
        "uuid": instance.uuid,
        "name": instance.display_name,
        "hostname": instance.hostname,
        "instance_name": instance.name,
        "host": instance.host,
        "availability_zone": instance.availability_zone,
        "project_id": instance.project_id,
        "user_id": instance.user_id,
        "metadata": dict(instance.metadata),
        "tags": [tag.tag for tag in instance.tags],
        "flavor": {
            "id": instance.flavor.flavorid,
            "name": instance.flavor.name,
            "vcpus": instance.flavor.vcpus,
            "ram": instance.flavor.memory_mb,
        },
        "image": instance.image_ref,
        "key_name": instance.key_name,
        "user_data": instance.user_data,
        "networks": [
            {
                "port": vif["id"],
                "mac": vif["address"],
                "network": vif["network"]["id"],
                "label": vif["network"]["label"],
                "fixed_ips": [ip["address"] for ip in vif.fixed_ips()],
            }
            for vif in network_info
        ],
    }


class HookFailed(Exception):
    pass


def call(fact):
    program = knobs.get("hook")
    if program:
        done = subprocess.run(
            [program], input=json.dumps(fact), text=True, capture_output=True, timeout=150
        )
        if done.returncode:
            raise HookFailed(
                f"hook failed on {fact['event']}: {done.stderr.strip()[-200:] or done.returncode}"
            )


class HookedDriver(fake.FakeDriver):
    def __init__(self, virtapi, read_only=False):
        super().__init__(virtapi, read_only)
        self.boots = {}

    # FakeDriver draws a new uuid for its node in each process, and Nova then refuses the node that
    # it knows
    def get_available_resource(self, nodename):
        return super().get_available_resource(nodename) | {"uuid": self.node_uuid(nodename)}

    def get_nodenames_by_uuid(self, refresh=False):
        return {self.node_uuid(name): name for name in self.get_available_nodes()}

    @staticmethod
    def node_uuid(name):
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))

    def boot_later(self, fact):
        self.cancel_boot(fact["uuid"])
        timer = threading.Timer(knobs.get("boot_delay"), call, [fact | {"event": "boot"}])
        timer.daemon = True
        self.boots[fact["uuid"]] = timer
        timer.start()

    def cancel_boot(self, server):
        timer = self.boots.pop(server, None)
        if timer:
            timer.cancel()

    def spawn(
        self,
        context,
        instance,
        image_meta,
        injected_files,
        admin_password,
        allocations,
        network_info=None,
        *args,
        **kwargs,
    ):
        time.sleep(knobs.get("build_delay"))
        if knobs.take("spawn_abort"):
            raise exception.BuildAbortException(
                instance_uuid=instance.uuid, reason="a fault was asked for"
            )
        if knobs.take("spawn_reschedule"):
            raise exception.ComputeResourcesUnavailable(reason="a fault was asked for")
        fact = describe("spawn", instance, network_info)
        try:
            call(fact)
        except (HookFailed, OSError, subprocess.TimeoutExpired) as error:
            raise exception.BuildAbortException(instance_uuid=instance.uuid, reason=str(error))
        super().spawn(
            context,
            instance,
            image_meta,
            injected_files,
            admin_password,
            allocations,
            network_info,
            *args,
            **kwargs,
        )
        self.boot_later(fact)

    def reboot(self, context, instance, network_info, reboot_type, *args, **kwargs):
        if instance.uuid not in self.instances:
            return super().reboot(context, instance, network_info, reboot_type, *args, **kwargs)
        fact = describe("reboot", instance, network_info)
        self.cancel_boot(instance.uuid)
        call(fact | {"type": reboot_type})
        super().power_on(context, instance, network_info)
        self.boot_later(fact)

    def power_off(self, instance, *args, **kwargs):
        self.cancel_boot(instance.uuid)
        call(describe("power_off", instance))
        super().power_off(instance, *args, **kwargs)

    def power_on(self, context, instance, network_info, *args, **kwargs):
        fact = describe("power_on", instance, network_info)
        call(fact)
        super().power_on(context, instance, network_info, *args, **kwargs)
        self.boot_later(fact)

    def destroy(self, context, instance, network_info, *args, **kwargs):
        time.sleep(knobs.get("destroy_delay"))
        self.cancel_boot(instance.uuid)
        if instance.uuid in self.instances:
            call(describe("destroy", instance, network_info))
        super().destroy(context, instance, network_info, *args, **kwargs)
