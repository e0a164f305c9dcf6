"""Fills empty databases: schemas, then through the APIs users, catalogue, flavors, an image."""

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import settings

BIN = Path(sys.prefix) / "bin"


def schemas(directory, environment):
    etc = directory / "etc"

    def tool(name, conf, *args):
        with (directory / "log" / f"{name}.out").open("a") as out:
            subprocess.run(
                [BIN / "python", BIN / name, "--config-file", etc / conf, *args],
                env=environment,
                stdout=out,
                stderr=out,
                check=True,
            )

    def keystone():
        tool("keystone-manage", "keystone.conf", "db_sync")
        owner = ("--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid()))
        tool("keystone-manage", "keystone.conf", "fernet_setup", *owner)
        tool("keystone-manage", "keystone.conf", "credential_setup", *owner)
        tool(
            "keystone-manage",
            "keystone.conf",
            "bootstrap",
            "--bootstrap-password",
            settings.PASSWORDS["admin"],
            "--bootstrap-region-id",
            "RegionOne",
            *(f"--bootstrap-{i}-url=http://127.0.0.1/v3" for i in ("admin", "internal", "public")),
        )

    def nova():
        tool("nova-manage", "nova.conf", "api_db", "sync")
        tool(
            "nova-manage",
            "nova.conf",
            "cell_v2",
            "map_cell0",
            "--database_connection",
            settings.database(directory, "nova_cell0"),
        )
        tool("nova-manage", "nova.conf", "db", "sync")
        tool("nova-manage", "nova.conf", "cell_v2", "create_cell", "--name", "cell1")

    def neutron():
        # SQLite cannot run Neutron's migrations: the schema is made from the models and stamped
        program = (
            "import sqlalchemy, sys\n"
            "from neutron.common import config\n"
            "from neutron.db.migration.models import head\n"
            "from oslo_config import cfg\n"
            "from oslo_db import options\n"
            "config.register_common_config_options()\n"
            "config.init(sys.argv[1:])\n"
            "options.set_defaults(cfg.CONF)\n"
            "engine = sqlalchemy.create_engine(cfg.CONF.database.connection)\n"
            "head.get_metadata().create_all(engine)\n"
        )
        subprocess.run(
            [BIN / "python", "-c", program, "--config-file", etc / "neutron.conf"],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=(directory / "log/neutron-schema.out").open("w"),
        )
        tool("neutron-db-manage", "neutron.conf", "stamp", "heads")

    def others():
        tool("placement-manage", "placement.conf", "db", "sync")
        tool("glance-manage", "glance-api.conf", "db_sync")

    failed = []

    def guarded(job):
        try:
            job()
        except Exception as error:
            failed.append(error)

    jobs = [
        threading.Thread(target=guarded, args=(job,)) for job in (keystone, nova, neutron, others)
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    if failed:
        sys.exit(f"cannot make the databases: {failed}; see {directory}/log")


def identity(cloud, ports, front):
    api = cloud.identity
    service = api.create_project(name="service", domain_id="default")
    demo = api.create_project(name="demo", domain_id="default")
    roles = {role.name: role for role in api.roles()}
    for name in ("placement", "glance", "neutron", "nova"):
        user = api.create_user(
            name=name,
            password=settings.SERVICE_PASSWORD,
            domain_id="default",
            default_project_id=service.id,
        )
        for role in ("admin", "service"):
            api.assign_project_role_to_user(service, user, roles[role])
    user = api.create_user(
        name="demo",
        password=settings.PASSWORDS["demo"],
        domain_id="default",
        default_project_id=demo.id,
    )
    api.assign_project_role_to_user(demo, user, roles["member"])
    kinds = {}
    for name, (kind, _) in settings.SERVICES.items():
        if kind != "identity":
            kinds[kind] = api.create_service(name=name, type=kind)
    for kind, interface, url in settings.endpoints(ports, front):
        if kind != "identity":
            api.create_endpoint(
                service_id=kinds[kind].id, interface=interface, url=url, region_id="RegionOne"
            )


def contents(cloud):
    for name, ram, cpus, disk in (("m1.small", 512, 1, 1), ("m1.large", 4096, 4, 10)):
        cloud.compute.create_flavor(name=name, ram=ram, vcpus=cpus, disk=disk)
    image = cloud.image.create_image(
        name="tiny",
        disk_format="raw",
        container_format="bare",
        visibility="public",
        allow_duplicates=True,
    )
    cloud.image.put(
        f"/images/{image.id}/file",
        data=bytes(1024),
        headers={"Content-Type": "application/octet-stream"},
    ).raise_for_status()


def network(cloud, cidr, gateway, pool):
    """Made at each start, not in the seed: its addresses may have to be those of machines."""
    demo = cloud.identity.find_project("demo")
    made = cloud.network.create_network(name="demo-net", project_id=demo.id)
    cloud.network.create_subnet(
        name="demo-subnet",
        network_id=made.id,
        project_id=demo.id,
        ip_version=4,
        cidr=cidr,
        gateway_ip=gateway,
        allocation_pools=[{"start": pool[0], "end": pool[1]}],
        enable_dhcp=False,
    )


def checkpoint(directory):
    for name in settings.DATABASES:
        connection = sqlite3.connect(directory / "db" / f"{name}.sqlite")
        connection.execute("pragma wal_checkpoint(truncate)")
        connection.close()
