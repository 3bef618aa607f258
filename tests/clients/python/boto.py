"""boto3's paginators and waiters, all of them that ECS has operations for here. Where the server
is, the environment says; what was seen is printed as one line of JSON.
"""

import json

import boto3

ecs = boto3.client("ecs")
# The waiters' own delays are 6 and 15 s.
patience = {"Delay": 1, "MaxAttempts": 120}
containers = [{"name": "app", "image": "none", "memory": 64}]
namespace = "arn:aws:servicediscovery:us-east-1:000000000000:namespace/ns-1"


def made():
    """Several of everything that can be listed."""
    for name in ("one", "two", "three"):
        ecs.create_cluster(clusterName=name)
    for family in ("web", "web", "job"):
        ecs.register_task_definition(family=family, containerDefinitions=containers)
    instances = ecs.list_container_instances()["containerInstanceArns"]
    attributes = [{"name": "rack", "value": arn[-1], "targetId": arn} for arn in instances]
    ecs.put_attributes(attributes=attributes)
    tasks = ecs.run_task(taskDefinition="job", count=3)["tasks"]
    for name in ("a", "b", "c"):
        ecs.create_service(
            serviceName=name,
            taskDefinition="web",
            desiredCount=1,
            serviceConnectConfiguration={"enabled": True, "namespace": namespace},
        )
    return [task["taskArn"] for task in tasks]


def pages(operation, **parameters):
    """The same list in one page and in pages of one: how many pages, and whether they agree."""
    paginator = ecs.get_paginator(operation)
    key = paginator.result_keys[0].parsed["value"]
    whole = list(paginator.paginate(**parameters).search(key))
    single = [
        page[key]
        for page in paginator.paginate(**parameters, PaginationConfig={"PageSize": 1})
        if page[key]
    ]
    # What the paginator takes for "where it stopped" goes on from there.
    first = paginator.paginate(**parameters, PaginationConfig={"MaxItems": 1})
    token = first.build_full_result().get("NextToken")
    config = {"StartingToken": token}
    rest = list(paginator.paginate(**parameters, PaginationConfig=config).search(key))
    agree = [item for page in single for item in page] == whole and rest == whole[1:]
    return [len(single), agree and all(len(page) == 1 for page in single)]


tasks = made()
seen = {}
waiters = {}
ecs.get_waiter("tasks_running").wait(tasks=tasks, WaiterConfig=patience)
ecs.get_waiter("services_stable").wait(services=["a", "b", "c"], WaiterConfig=patience)
parameters = {
    "list_attributes": {"targetType": "container-instance", "attributeName": "rack"},
    "list_account_settings": {"effectiveSettings": True},
    "list_services_by_namespace": {"namespace": namespace},
    "list_tasks": {"family": "job"},
}
names = {
    "list_account_settings",
    "list_attributes",
    "list_clusters",
    "list_container_instances",
    "list_services",
    "list_services_by_namespace",
    "list_task_definition_families",
    "list_task_definitions",
    "list_tasks",
}
for name in sorted(names):
    seen[name] = pages(name, **parameters.get(name, {}))

for task in tasks:
    ecs.stop_task(task=task)
ecs.get_waiter("tasks_stopped").wait(tasks=tasks, WaiterConfig=patience)
for name in ("a", "b", "c"):
    ecs.delete_service(service=name, force=True)
ecs.get_waiter("services_inactive").wait(services=["a", "b", "c"], WaiterConfig=patience)

# What boto3 could page or wait for beside these belongs to families that are not served.
methods = sorted(ecs.meta.method_to_api_mapping)
others = [name for name in methods if ecs.can_paginate(name) and name not in names]
print(
    json.dumps(
        {
            "pages": seen,
            "otherPaginators": others,
            "waiters": [name for name in ecs.waiter_names if "daemon" not in name],
            "left": ecs.list_services()["serviceArns"],
        }
    )
)
