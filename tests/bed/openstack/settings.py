"""The services' configuration files, and what a copied seed must be told of its new place."""

import sqlite3
import sys
from pathlib import Path

PASSWORDS = {"admin": "adminpass", "demo": "demopass"}
SERVICE_PASSWORD = "svcpass"
# service: its type in the catalogue, and the path below its own port
SERVICES = {
    "keystone": ("identity", "/v3"),
    "placement": ("placement", ""),
    "glance": ("image", ""),
    "neutron": ("network", ""),
    "nova": ("compute", "/v2.1"),
}
DATABASES = ("keystone", "placement", "glance", "neutron", "nova_api", "nova_cell0", "nova_cell1")


def database(directory, name):
    return f"sqlite:///{directory}/db/{name}.sqlite"


def endpoints(ports, front):
    """(type, interface, url): services talk directly, everybody else through the front door."""
    for service, (kind, path) in SERVICES.items():
        direct = f"http://127.0.0.1:{ports[service]}{path}"
        yield kind, "internal", direct
        yield kind, "admin", direct
        yield kind, "public", f"{front}/{kind}{path}"


def write(path, sections):
    lines = []
    for section, options in sections.items():
        lines.append(f"[{section}]")
        for name, value in options.items():
            lines += [f"{name} = {v}" for v in (value if isinstance(value, list) else [value])]
    path.write_text("\n".join(lines) + "\n")


def configure(directory, ports):
    etc = directory / "etc"
    for folder in (
        etc,
        *(
            directory / f
            for f in ("db", "log", "lock", "keys/fernet", "keys/credential", "images", "state")
        ),
    ):
        folder.mkdir(parents=True, exist_ok=True)
    for folder in ("keys/fernet", "keys/credential"):
        (directory / folder).chmod(0o700)
    shipped = Path(sys.prefix) / "etc"
    url = {service: f"http://127.0.0.1:{port}" for service, port in ports.items()}

    def login(user):
        return {
            "auth_type": "password",
            "auth_url": url["keystone"] + "/v3",
            "username": user,
            "password": SERVICE_PASSWORD,
            "project_name": "service",
            "project_domain_name": "Default",
            "user_domain_name": "Default",
        }

    def common(user, log):
        return {
            "DEFAULT": {"log_file": directory / "log" / f"{log}.log", "transport_url": "fake://"},
            "database": {"connection": database(directory, user)},
            # so long a revoked token goes on working; the default is five minutes
            "keystone_authtoken": login(user)
            | {
                "www_authenticate_uri": url["keystone"] + "/v3",
                "service_token_roles_required": "false",
                "token_cache_time": 2,
                # without it no credential that is limited by access rules is taken
                "service_type": SERVICES[user][0],
            },
            "oslo_concurrency": {"lock_path": directory / "lock"},
            "oslo_messaging_notifications": {"driver": "noop"},
            "oslo_middleware": {"enable_proxy_headers_parsing": "true"},
        }

    keystone = common("keystone", "keystone")
    del keystone["keystone_authtoken"]
    write(
        etc / "keystone.conf",
        keystone
        | {
            # receipts' keys are below /etc by default, and Keystone ends where there are none
            "fernet_tokens": {"key_repository": directory / "keys/fernet"},
            "fernet_receipts": {"key_repository": directory / "keys/fernet"},
            "credential": {"key_repository": directory / "keys/credential"},
            "identity": {"password_hash_rounds": 4},
            "cache": {"enabled": "true", "backend": "dogpile.cache.memory"},
            "token": {"caching": "false"},
            "revoke": {"caching": "false"},  # else a revoked token goes on working
        },
    )

    placement = common("placement", "placement")
    write(etc / "placement.conf", placement | {"placement_database": placement.pop("database")})

    glance = common("glance", "glance")
    glance["DEFAULT"] |= {
        "enabled_backends": "fs:file",
        "enabled_import_methods": "[]",
        "worker_self_reference_url": url["glance"],
    }
    write(
        etc / "glance-api.conf",
        glance
        | {
            "glance_store": {"default_backend": "fs"},
            "fs": {"filesystem_store_datadir": directory / "images"},
            "os_glance_staging_store": {"filesystem_store_datadir": directory / "state/staging"},
            "os_glance_tasks_store": {"filesystem_store_datadir": directory / "state/tasks"},
            "paste_deploy": {
                "flavor": "keystone",
                "config_file": shipped / "glance/glance-api-paste.ini",
            },
        },
    )

    neutron = common("neutron", "neutron")
    neutron["DEFAULT"] |= {
        "core_plugin": "ml2",
        "service_plugins": "router",
        "state_path": directory / "state/neutron",
        "rpc_workers": 0,
        "api_paste_config": shipped / "neutron/api-paste.ini",
        "dhcp_agent_notification": "false",
        "notify_nova_on_port_status_changes": "false",
        "notify_nova_on_port_data_changes": "false",
    }
    write(
        etc / "neutron.conf",
        neutron
        | {
            "ml2": {
                "type_drivers": "local",
                "tenant_network_types": "local",
                "mechanism_drivers": "alwaysbind",
                "extension_drivers": "port_security",
            },
        },
    )

    nova = common("nova", "nova")
    nova["DEFAULT"] |= {
        "host": "ctl",
        "state_path": directory / "state/nova",
        "instances_path": directory / "state/nova/instances",
        "compute_driver": "hooked.HookedDriver",
        "vif_plugging_is_fatal": "false",
        "vif_plugging_timeout": 0,  # no agent ever says "plugged"
        "report_interval": 2,
        "service_down_time": 15,
        "heal_instance_info_cache_interval": 0,
        "update_resources_interval": 10,
    }
    nova["database"] = {"connection": database(directory, "nova_cell1")}
    write(
        etc / "nova.conf",
        nova
        | {
            "api_database": {"connection": database(directory, "nova_api")},
            "wsgi": {"api_paste_config": shipped / "nova/api-paste.ini"},
            "keystone": login("nova") | {"endpoint_override": url["keystone"] + "/v3"},
            "placement": login("nova") | {"endpoint_override": url["placement"]},
            "glance": login("nova") | {"endpoint_override": url["glance"]},
            "neutron": login("nova") | {"endpoint_override": url["neutron"]},
            "service_user": login("nova") | {"send_service_user_token": "true"},
            # tests ask for a quota where they want one
            "quota": {"instances": -1, "cores": -1, "ram": -1},
            "filter_scheduler": {
                "available_filters": [
                    "nova.scheduler.filters.all_filters",
                    "openstack_bed.no_valid_host.NoValidHost",
                ],
                "enabled_filters": "NoValidHost,ComputeFilter,ComputeCapabilitiesFilter,"
                "ImagePropertiesFilter,"
                "ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter",
            },
        },
    )


def relocate(directory, ports, front):
    """The three places where a database holds a port or a path."""

    def run(name, statements):
        connection = sqlite3.connect(directory / "db" / f"{name}.sqlite")
        with connection:
            for sql, *values in statements:
                connection.execute(sql, values)
        connection.close()

    run(
        "keystone",
        [
            (
                "update endpoint set url = ? where interface = ? "
                "and service_id in (select id from service where type = ?)",
                url,
                interface,
                kind,
            )
            for kind, interface, url in endpoints(ports, front)
        ],
    )
    run(
        "nova_api",
        [
            (
                "update cell_mappings set database_connection = ? where name = ?",
                database(directory, f"nova_{cell}"),
                cell,
            )
            for cell in ("cell0", "cell1")
        ],
    )
    run(
        "glance",
        [
            (
                "update image_locations set value = 'file://' || ? || '/' || image_id",
                str(directory / "images"),
            )
        ],
    )
