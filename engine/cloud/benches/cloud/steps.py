"""The steps of a replacement, as openstacksdk does them; then what this process took, as a line of JSON."""

import json
import resource
import sys

import openstack

cloud = openstack.connect(cloud="demo")
old = cloud.compute.get_server(sys.argv[1])
flavor = cloud.compute.find_flavor(old.flavor["original_name"])
ports = []
for port in cloud.network.ports(device_id=old.id):
    made = cloud.network.create_port(
        network_id=port.network_id,
        name=f"by-sdk-{len(ports)}",
        security_group_ids=port.security_group_ids,
        fixed_ips=[{"subnet_id": ip["subnet_id"]} for ip in port.fixed_ips],
    )
    ports.append(made)
server = cloud.compute.create_server(
    name="by-sdk",
    flavor_id=flavor.id,
    image_id=old.image.id,
    networks=[{"port": port.id} for port in ports],
    metadata=dict(old.metadata),
    tags=["by-sdk"],
)
cloud.compute.wait_for_server(server, interval=1, wait=120)
cloud.compute.set_server_metadata(server, state="adopted")
# somebody may have plugged one in since
old_ports = list(cloud.network.ports(device_id=old.id))
cloud.compute.delete_server(old)
cloud.compute.wait_for_delete(old, interval=1, wait=120)
for port in old_ports:
    cloud.network.delete_port(port)

usage = resource.getrusage(resource.RUSAGE_SELF)
took = {"cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * 1024}
print(json.dumps(took))
