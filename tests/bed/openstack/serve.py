"""Serves one WSGI module on a socket that launch.py opened. usage: serve.py FD THREADS MODULE"""

import importlib
import socket
import sys

import waitress

fd, threads, module = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
sys.argv = [module]
# the front door's X-Forwarded-* headers are for the application
waitress.serve(
    importlib.import_module(module).application,
    sockets=[socket.socket(fileno=fd)],
    threads=threads,
    ident=None,
    clear_untrusted_proxy_headers=False,
)
