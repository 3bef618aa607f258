// One life of a cluster, through the AWS SDK for Go. Where the server is, the environment says;
// what was seen is printed as one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

const patience = time.Minute

func main() {
	seen, err := life(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	line, err := json.Marshal(seen)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(string(line))
}

func life(ctx context.Context) (map[string]any, error) {
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	client := ecs.NewFromConfig(settings)
	cluster := aws.String("go")

	created, err := client.CreateCluster(ctx, &ecs.CreateClusterInput{
		ClusterName:       cluster,
		CapacityProviders: []string{"FARGATE"},
		Tags:              []types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}},
	})
	if err != nil {
		return nil, err
	}
	registered, err := client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family:                  cluster,
		NetworkMode:             types.NetworkModeAwsvpc,
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
		Cpu:                     aws.String("256"),
		Memory:                  aws.String("512"),
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("app"), Image: aws.String("app"), Command: []string{"sleep", "600"},
		}},
	})
	if err != nil {
		return nil, err
	}
	definition := registered.TaskDefinition.TaskDefinitionArn

	run := func() ([]string, error) {
		started, err := client.RunTask(ctx, &ecs.RunTaskInput{
			Cluster:        cluster,
			TaskDefinition: definition,
			LaunchType:     types.LaunchTypeFargate,
			Count:          aws.Int32(2),
			ClientToken:    aws.String("once"),
			NetworkConfiguration: &types.NetworkConfiguration{
				AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}},
			},
		})
		if err != nil {
			return nil, err
		}
		var arns []string
		for _, task := range started.Tasks {
			arns = append(arns, *task.TaskArn)
		}
		return arns, nil
	}
	tasks, err := run()
	if err != nil {
		return nil, err
	}
	again, err := run()
	if err != nil {
		return nil, err
	}
	named := &ecs.DescribeTasksInput{Cluster: cluster, Tasks: tasks}

	running := ecs.NewTasksRunningWaiter(client, func(o *ecs.TasksRunningWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Second, time.Second
	})
	up, err := running.WaitForOutput(ctx, named, patience)
	if err != nil {
		return nil, err
	}

	_, err = client.UpdateClusterSettings(ctx, &ecs.UpdateClusterSettingsInput{
		Cluster: cluster,
		Settings: []types.ClusterSetting{{
			Name: types.ClusterSettingNameContainerInsights, Value: aws.String("enabled"),
		}},
	})
	if err != nil {
		return nil, err
	}
	_, err = client.TagResource(ctx, &ecs.TagResourceInput{
		ResourceArn: created.Cluster.ClusterArn,
		Tags:        []types.Tag{{Key: aws.String("stage"), Value: aws.String("test")}},
	})
	if err != nil {
		return nil, err
	}
	described, err := client.DescribeClusters(ctx, &ecs.DescribeClustersInput{
		Clusters: []string{*cluster},
		Include:  []types.ClusterField{types.ClusterFieldSettings, types.ClusterFieldTags},
	})
	if err != nil {
		return nil, err
	}
	var tags []string
	for _, tag := range described.Clusters[0].Tags {
		tags = append(tags, *tag.Key+"="+*tag.Value)
	}
	slices.Sort(tags)

	var listed []string
	pages := ecs.NewListTasksPaginator(client,
		&ecs.ListTasksInput{Cluster: cluster, MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		listed = append(listed, page.TaskArns...)
	}
	slices.Sort(listed)
	sorted := slices.Sorted(slices.Values(tasks))

	var absent *types.ClusterNotFoundException
	_, err = client.ListTasks(ctx, &ecs.ListTasksInput{Cluster: aws.String("absent")})
	if !errors.As(err, &absent) {
		return nil, fmt.Errorf("an absent cluster is not refused as such: %w", err)
	}

	for _, task := range tasks {
		_, err = client.StopTask(ctx, &ecs.StopTaskInput{
			Cluster: cluster, Task: aws.String(task), Reason: aws.String("enough"),
		})
		if err != nil {
			return nil, err
		}
	}
	stopping := ecs.NewTasksStoppedWaiter(client, func(o *ecs.TasksStoppedWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Second, time.Second
	})
	down, err := stopping.WaitForOutput(ctx, named, patience)
	if err != nil {
		return nil, err
	}

	service, listedServices, err := serve(ctx, client, cluster, definition)
	if err != nil {
		return nil, err
	}

	_, err = client.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: definition})
	if err != nil {
		return nil, err
	}
	definitions, err := client.DeleteTaskDefinitions(ctx,
		&ecs.DeleteTaskDefinitionsInput{TaskDefinitions: []string{*definition}})
	if err != nil {
		return nil, err
	}
	deleted, err := client.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: cluster})
	if err != nil {
		return nil, err
	}

	var statuses, codes, reasons []string
	isTime := true
	for _, task := range up.Tasks {
		statuses = append(statuses, *task.LastStatus)
		isTime = isTime && task.StartedAt != nil && task.StartedAt.Year() > 2000
	}
	for _, task := range down.Tasks {
		codes = append(codes, string(task.StopCode))
		reasons = append(reasons, *task.StoppedReason)
	}
	var rollout []types.DeploymentRolloutState
	for _, deployment := range service.Deployments {
		rollout = append(rollout, deployment.RolloutState)
	}
	setting := described.Clusters[0].Settings[0]
	return map[string]any{
		"cluster":        created.Cluster.Status,
		"sameTasksAgain": slices.Equal(tasks, again),
		"waited":         "SUCCESS",
		"running":        statuses,
		"startedIsATime": isTime,
		"settings":       []map[string]string{{"name": string(setting.Name), "value": *setting.Value}},
		"tags":           tags,
		"listedAll":      slices.Equal(listed, sorted),
		"refused":        absent.ErrorMessage(),
		"stopCodes":      codes,
		"reasons":        reasons,
		"service":        []any{*service.Status, service.DesiredCount, service.RunningCount},
		"rollout":        rollout,
		"listedServices": slices.Equal(listedServices, []string{*service.ServiceArn}),
		"definition":     definitions.TaskDefinitions[0].Status,
		"deleted":        deleted.Cluster.Status,
	}, nil
}

// serve makes a service, changes it, looks at it and deletes it.
func serve(
	ctx context.Context, client *ecs.Client, cluster, definition *string,
) (*types.Service, []string, error) {
	made, err := client.CreateService(ctx, &ecs.CreateServiceInput{
		Cluster:        cluster,
		ServiceName:    aws.String("web"),
		TaskDefinition: definition,
		DesiredCount:   aws.Int32(1),
		LaunchType:     types.LaunchTypeFargate,
		NetworkConfiguration: &types.NetworkConfiguration{
			AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-1"}},
		},
	})
	if err != nil {
		return nil, nil, err
	}
	named := &ecs.DescribeServicesInput{Cluster: cluster, Services: []string{*made.Service.ServiceArn}}
	stable := ecs.NewServicesStableWaiter(client, func(o *ecs.ServicesStableWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Second, time.Second
	})
	if err := stable.Wait(ctx, named, patience); err != nil {
		return nil, nil, err
	}
	_, err = client.UpdateService(ctx, &ecs.UpdateServiceInput{
		Cluster: cluster, Service: aws.String("web"), DesiredCount: aws.Int32(2),
	})
	if err != nil {
		return nil, nil, err
	}
	described, err := stable.WaitForOutput(ctx, named, patience)
	if err != nil {
		return nil, nil, err
	}
	var listed []string
	pages := ecs.NewListServicesPaginator(client, &ecs.ListServicesInput{Cluster: cluster})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, nil, err
		}
		listed = append(listed, page.ServiceArns...)
	}
	tasks, err := client.ListTasks(ctx, &ecs.ListTasksInput{Cluster: cluster, ServiceName: aws.String("web")})
	if err != nil {
		return nil, nil, err
	}
	_, err = client.DeleteService(ctx, &ecs.DeleteServiceInput{
		Cluster: cluster, Service: aws.String("web"), Force: aws.Bool(true),
	})
	if err != nil {
		return nil, nil, err
	}
	inactive := ecs.NewServicesInactiveWaiter(client, func(o *ecs.ServicesInactiveWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Second, time.Second
	})
	if err := inactive.Wait(ctx, named, patience); err != nil {
		return nil, nil, err
	}
	stopped := ecs.NewTasksStoppedWaiter(client, func(o *ecs.TasksStoppedWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Second, time.Second
	})
	ended := &ecs.DescribeTasksInput{Cluster: cluster, Tasks: tasks.TaskArns}
	if err := stopped.Wait(ctx, ended, patience); err != nil {
		return nil, nil, err
	}
	return &described.Services[0], listed, nil
}
