import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import software.amazon.awssdk.core.waiters.WaiterOverrideConfiguration;
import software.amazon.awssdk.retries.api.BackoffStrategy;
import software.amazon.awssdk.services.ecs.EcsClient;
import software.amazon.awssdk.services.ecs.model.Cluster;
import software.amazon.awssdk.services.ecs.model.ClusterField;
import software.amazon.awssdk.services.ecs.model.ClusterNotFoundException;
import software.amazon.awssdk.services.ecs.model.Compatibility;
import software.amazon.awssdk.services.ecs.model.ContainerDefinition;
import software.amazon.awssdk.services.ecs.model.LaunchType;
import software.amazon.awssdk.services.ecs.model.NetworkConfiguration;
import software.amazon.awssdk.services.ecs.model.NetworkMode;
import software.amazon.awssdk.services.ecs.model.RunTaskRequest;
import software.amazon.awssdk.services.ecs.model.Service;
import software.amazon.awssdk.services.ecs.model.Tag;
import software.amazon.awssdk.services.ecs.model.Task;
import software.amazon.awssdk.services.ecs.waiters.EcsWaiter;

/**
 * One life of a cluster, through the AWS SDK for Java. Where the server is, the environment says;
 * what was seen is printed as one line of JSON.
 */
public final class Life {
  private static final String NAME = "java";
  private static final Duration PATIENCE = Duration.ofMinutes(1);
  private static final Duration DELAY = Duration.ofSeconds(1);

  private final EcsClient client = EcsClient.create();
  private final EcsWaiter waiter =
      EcsWaiter.builder()
          .client(client)
          .overrideConfiguration(
              WaiterOverrideConfiguration.builder()
                  .maxAttempts(60)
                  .waitTimeout(PATIENCE)
                  .backoffStrategyV2(BackoffStrategy.fixedDelayWithoutJitter(DELAY))
                  .build())
          .build();

  public static void main(String[] arguments) {
    System.out.println(json(new Life().live()));
  }

  private Map<String, Object> live() {
    Map<String, Object> seen = new LinkedHashMap<>();
    Cluster created =
        client
            .createCluster(
                cluster ->
                    cluster
                        .clusterName(NAME)
                        .capacityProviders("FARGATE")
                        .tags(Tag.builder().key("team").value("blue").build()))
            .cluster();
    seen.put("cluster", created.status());
    String definition = register();

    List<String> tasks = run(definition);
    seen.put("sameTasksAgain", tasks.equals(run(definition)));
    var ran = waiter.waitUntilTasksRunning(wait -> wait.cluster(NAME).tasks(tasks));
    seen.put("waited", ran.matched().response().isPresent() ? "SUCCESS" : "FAILURE");
    List<Task> running = describe(tasks);
    seen.put("running", running.stream().map(Task::lastStatus).toList());
    seen.put("startedIsATime", running.stream().allMatch(task -> task.startedAt() != null));

    client.updateClusterSettings(
        update ->
            update
                .cluster(NAME)
                .settings(setting -> setting.name("containerInsights").value("enabled")));
    client.tagResource(
        tag ->
            tag.resourceArn(created.clusterArn())
                .tags(Tag.builder().key("stage").value("test").build()));
    Cluster described =
        client
            .describeClusters(
                describe ->
                    describe.clusters(NAME).include(ClusterField.SETTINGS, ClusterField.TAGS))
            .clusters()
            .get(0);
    seen.put(
        "settings",
        described.settings().stream()
            .map(
                setting -> {
                  Map<String, Object> shown = new LinkedHashMap<>();
                  shown.put("name", setting.nameAsString());
                  shown.put("value", setting.value());
                  return shown;
                })
            .toList());
    seen.put(
        "tags",
        described.tags().stream().map(tag -> tag.key() + "=" + tag.value()).sorted().toList());
    List<String> listed =
        client.listTasksPaginator(list -> list.cluster(NAME).maxResults(1)).taskArns().stream()
            .toList();
    seen.put("listedAll", new HashSet<>(listed).equals(new HashSet<>(tasks)));
    try {
      client.listTasks(list -> list.cluster("absent"));
    } catch (ClusterNotFoundException refused) {
      seen.put("refused", refused.awsErrorDetails().errorMessage());
    }

    for (String task : tasks) {
      client.stopTask(stop -> stop.cluster(NAME).task(task).reason("enough"));
    }
    waiter.waitUntilTasksStopped(wait -> wait.cluster(NAME).tasks(tasks));
    List<Task> stopped = describe(tasks);
    seen.put("stopCodes", stopped.stream().map(Task::stopCodeAsString).toList());
    seen.put("reasons", stopped.stream().map(Task::stoppedReason).toList());

    serve(definition, seen);

    client.deregisterTaskDefinition(gone -> gone.taskDefinition(definition));
    seen.put(
        "definition",
        client
            .deleteTaskDefinitions(delete -> delete.taskDefinitions(definition))
            .taskDefinitions()
            .get(0)
            .statusAsString());
    seen.put("deleted", client.deleteCluster(delete -> delete.cluster(NAME)).cluster().status());
    return seen;
  }

  private String register() {
    return client
        .registerTaskDefinition(
            register ->
                register
                    .family(NAME)
                    .networkMode(NetworkMode.AWSVPC)
                    .requiresCompatibilities(Compatibility.FARGATE)
                    .cpu("256")
                    .memory("512")
                    .containerDefinitions(
                        ContainerDefinition.builder()
                            .name("app")
                            .image("app")
                            .command("sleep", "600")
                            .build()))
        .taskDefinition()
        .taskDefinitionArn();
  }

  private static NetworkConfiguration network() {
    return NetworkConfiguration.builder()
        .awsvpcConfiguration(vpc -> vpc.subnets("subnet-1"))
        .build();
  }

  private List<String> run(String definition) {
    RunTaskRequest request =
        RunTaskRequest.builder()
            .cluster(NAME)
            .taskDefinition(definition)
            .launchType(LaunchType.FARGATE)
            .count(2)
            .clientToken("once")
            .networkConfiguration(network())
            .build();
    return client.runTask(request).tasks().stream().map(Task::taskArn).toList();
  }

  private List<Task> describe(List<String> tasks) {
    return client.describeTasks(describe -> describe.cluster(NAME).tasks(tasks)).tasks();
  }

  /** A service from its creation over an update to its end. */
  private void serve(String definition, Map<String, Object> seen) {
    String arn =
        client
            .createService(
                create ->
                    create
                        .cluster(NAME)
                        .serviceName("web")
                        .taskDefinition(definition)
                        .desiredCount(1)
                        .launchType(LaunchType.FARGATE)
                        .networkConfiguration(network()))
            .service()
            .serviceArn();
    waiter.waitUntilServicesStable(wait -> wait.cluster(NAME).services(arn));
    client.updateService(update -> update.cluster(NAME).service("web").desiredCount(2));
    waiter.waitUntilServicesStable(wait -> wait.cluster(NAME).services(arn));
    Service service =
        client.describeServices(describe -> describe.cluster(NAME).services(arn)).services().get(0);
    seen.put("service", List.of(service.status(), service.desiredCount(), service.runningCount()));
    seen.put(
        "rollout",
        service.deployments().stream().map(one -> one.rolloutStateAsString()).toList());
    List<String> listed =
        client.listServicesPaginator(list -> list.cluster(NAME)).serviceArns().stream().toList();
    seen.put("listedServices", listed.equals(List.of(arn)));
    List<String> tasks =
        client.listTasks(list -> list.cluster(NAME).serviceName("web")).taskArns();
    client.deleteService(delete -> delete.cluster(NAME).service("web").force(true));
    waiter.waitUntilServicesInactive(wait -> wait.cluster(NAME).services(arn));
    waiter.waitUntilTasksStopped(wait -> wait.cluster(NAME).tasks(tasks));
  }

  /** Enough of JSON for what was seen. */
  private static String json(Object value) {
    if (value instanceof Map<?, ?> map) {
      return map.entrySet().stream()
          .map(entry -> json(entry.getKey()) + ":" + json(entry.getValue()))
          .collect(Collectors.joining(",", "{", "}"));
    }
    if (value instanceof List<?> list) {
      List<String> items = new ArrayList<>();
      list.forEach(item -> items.add(json(item)));
      return items.stream().collect(Collectors.joining(",", "[", "]"));
    }
    if (value instanceof String text) {
      return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }
    return String.valueOf(value);
  }
}
