"""The aws CLI, kept running: it takes a second to start, and a suite has hundreds of commands.

Each line of the input is a JSON list of arguments, as after `aws`. Each line of the output says
what the CLI did with them: its exit code, what it wrote, and the operation that the command stands
for (`ecs:RunTask`, or null). Everything is the CLI's own, but for one thing: its waiters look once
a second, where they else look every 6 or 15.
"""

import contextlib
import io
import json
import sys
import time
import types

import botocore.session
import botocore.waiter
from awscli.clidriver import create_clidriver
from botocore import xform_name

botocore.waiter.time = types.SimpleNamespace(sleep=lambda seconds: time.sleep(min(seconds, 1)))
session = botocore.session.get_session()
commands = {}


def operation(service, command):
    """The operation that a command stands for; none for waiters and customizations."""
    if service not in commands:
        names = session.get_service_model(service).operation_names
        commands[service] = {xform_name(name, "-"): name for name in names}
    name = commands[service].get(command)
    return name and f"{service}:{name}"


for line in sys.stdin:
    arguments = json.loads(line)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            # Its own each time: some flags change the driver for good.
            code = create_clidriver().main([*arguments, "--output", "json"])
        except SystemExit as end:
            code = end.code
    answer = {
        "code": code,
        "out": out.getvalue(),
        "err": err.getvalue(),
        "operation": operation(*arguments[:2]),
    }
    print(json.dumps(answer), flush=True)
