"""Nova scheduler filter that lets no host pass while the fault "no_valid_host" is asked for."""

import os

from nova.scheduler import filters

from knobs import Knobs


class NoValidHost(filters.BaseHostFilter):
    RUN_ON_REBUILD = False

    def filter_all(self, hosts, spec):
        return iter(()) if Knobs(os.environ["STACK_DIR"]).take("no_valid_host") else hosts
