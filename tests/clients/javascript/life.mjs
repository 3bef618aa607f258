// One life of a cluster, through the AWS SDK for JavaScript. Where the server is, the environment
// says; what was seen is printed as one line of JSON.

import * as ecs from "@aws-sdk/client-ecs";

const client = new ecs.ECSClient({});
const call = (command) => client.send(command);
const patience = { client, minDelay: 1, maxDelay: 1, maxWaitTime: 60 };

const cluster = "javascript";
const created = await call(
  new ecs.CreateClusterCommand({
    clusterName: cluster,
    capacityProviders: ["FARGATE"],
    tags: [{ key: "team", value: "blue" }],
  }),
);

const registered = await call(
  new ecs.RegisterTaskDefinitionCommand({
    family: cluster,
    networkMode: "awsvpc",
    requiresCompatibilities: ["FARGATE"],
    cpu: "256",
    memory: "512",
    containerDefinitions: [{ name: "app", image: "app", command: ["sleep", "600"] }],
  }),
);
const definition = registered.taskDefinition.taskDefinitionArn;

const run = () =>
  call(
    new ecs.RunTaskCommand({
      cluster,
      taskDefinition: definition,
      launchType: "FARGATE",
      count: 2,
      clientToken: "once",
      networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-1"] } },
    }),
  );
const tasks = (await run()).tasks.map((task) => task.taskArn);
const again = (await run()).tasks.map((task) => task.taskArn);

const waited = await ecs.waitUntilTasksRunning(patience, { cluster, tasks });
const running = (await call(new ecs.DescribeTasksCommand({ cluster, tasks }))).tasks;

await call(
  new ecs.UpdateClusterSettingsCommand({
    cluster,
    settings: [{ name: "containerInsights", value: "enabled" }],
  }),
);
await call(
  new ecs.TagResourceCommand({
    resourceArn: created.cluster.clusterArn,
    tags: [{ key: "stage", value: "test" }],
  }),
);
const described = await call(
  new ecs.DescribeClustersCommand({ clusters: [cluster], include: ["SETTINGS", "TAGS"] }),
);

const listed = [];
for await (const page of ecs.paginateListTasks({ client, pageSize: 1 }, { cluster })) {
  listed.push(...page.taskArns);
}

let refused;
try {
  await call(new ecs.ListTasksCommand({ cluster: "absent" }));
} catch (error) {
  refused = error instanceof ecs.ClusterNotFoundException && error.message;
}

for (const task of tasks) {
  await call(new ecs.StopTaskCommand({ cluster, task, reason: "enough" }));
}
await ecs.waitUntilTasksStopped(patience, { cluster, tasks });
const stopped = (await call(new ecs.DescribeTasksCommand({ cluster, tasks }))).tasks;

const made = await call(
  new ecs.CreateServiceCommand({
    cluster,
    serviceName: "web",
    taskDefinition: definition,
    desiredCount: 1,
    launchType: "FARGATE",
    networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-1"] } },
  }),
);
const services = [made.service.serviceArn];
await ecs.waitUntilServicesStable(patience, { cluster, services });
await call(new ecs.UpdateServiceCommand({ cluster, service: "web", desiredCount: 2 }));
await ecs.waitUntilServicesStable(patience, { cluster, services });
const [service] = (await call(new ecs.DescribeServicesCommand({ cluster, services }))).services;
const listedServices = [];
for await (const page of ecs.paginateListServices({ client }, { cluster })) {
  listedServices.push(...page.serviceArns);
}
const ofService = (await call(new ecs.ListTasksCommand({ cluster, serviceName: "web" }))).taskArns;
await call(new ecs.DeleteServiceCommand({ cluster, service: "web", force: true }));
await ecs.waitUntilServicesInactive(patience, { cluster, services });
await ecs.waitUntilTasksStopped(patience, { cluster, tasks: ofService });

await call(new ecs.DeregisterTaskDefinitionCommand({ taskDefinition: definition }));
const deletedDefinitions = await call(
  new ecs.DeleteTaskDefinitionsCommand({ taskDefinitions: [definition] }),
);
const deleted = await call(new ecs.DeleteClusterCommand({ cluster }));

console.log(
  JSON.stringify({
    cluster: created.cluster.status,
    sameTasksAgain: tasks.join() === again.join(),
    waited: waited.state,
    running: running.map((task) => task.lastStatus),
    startedIsATime: running.every((task) => task.startedAt instanceof Date),
    settings: described.clusters[0].settings,
    tags: described.clusters[0].tags.map(({ key, value }) => `${key}=${value}`).sort(),
    listedAll: listed.sort().join() === tasks.toSorted().join(),
    refused,
    stopCodes: stopped.map((task) => task.stopCode),
    reasons: stopped.map((task) => task.stoppedReason),
    service: [service.status, service.desiredCount, service.runningCount],
    rollout: service.deployments.map((deployment) => deployment.rolloutState),
    listedServices: listedServices.join() === services.join(),
    definition: deletedDefinitions.taskDefinitions[0].status,
    deleted: deleted.cluster.status,
  }),
);
