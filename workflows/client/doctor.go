package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/blang/semver/v4"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/workflows"
)

// What Examine looks at, in this order.
const (
	findingReachable  = "temporal_reachable"
	findingNamespace  = "temporal_namespace"
	findingVersion    = "temporal_version"
	findingRetention  = "temporal_retention"
	FindingAttributes = "temporal_search_attributes"
	findingPollers    = "temporal_worker"
)

// Findings are the names of what Examine looks at, in the order in which they are shown.
func Findings() []string {
	return []string{findingReachable, findingNamespace, findingVersion, findingRetention, FindingAttributes, findingPollers}
}

const (
	// testedVersion is the oldest version of the server that ContainerPub is tested with.
	testedVersion = "1.29.0"
	// shortRetention is a time after which nobody looks at a run any more; less is too little to find out why one failed at the weekend.
	shortRetention = 3 * 24 * time.Hour
	// answerTime is how long the server may take for each answer.
	answerTime = 10 * time.Second
)

// InstanceQueue is the task queue that a provider instance's steps come by; location may be empty.
func InstanceQueue(instance, location string) string { return workflows.Queue(instance, location) }

// Examine looks at Temporal: whether it answers, knows the namespace, is new enough, and has workers that poll the pipelines' queue and these
// others. What cannot be looked at because of something else is left out.
func Examine(ctx context.Context, opts Options, queues []string) []sdk.Finding {
	c, err := open(opts)
	if err != nil {
		return []sdk.Finding{{
			Name: findingReachable, Detail: err.Error(), Remedy: "correct the TEMPORAL_* variables, the profile in temporal.toml, or the block temporal in worker.hcl",
		}}
	}
	defer c.Close()
	found, ok := c.examineServer(ctx)
	if !ok {
		return found
	}
	found = append(found, c.examineAttributes(ctx))
	found = append(found, c.examineQueue(ctx, workflows.TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW))
	for _, q := range queues {
		found = append(found, c.examineQueue(ctx, q, enumspb.TASK_QUEUE_TYPE_ACTIVITY))
	}
	return found
}

// examineServer asks the server what it is; false: there is nothing more to ask.
func (c *Client) examineServer(ctx context.Context) ([]sdk.Finding, bool) {
	asking, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	resp, err := c.temporal.WorkflowService().DescribeNamespace(asking, &workflowservice.DescribeNamespaceRequest{Namespace: c.namespace})
	reachable := sdk.Finding{Name: findingReachable, OK: true, Detail: "Temporal answers at " + c.address}
	var missing *serviceerror.NamespaceNotFound
	var denied *serviceerror.PermissionDenied
	switch {
	case errors.As(err, &missing):
		return []sdk.Finding{reachable, {
			Name: findingNamespace, Detail: fmt.Sprintf("there is no namespace %q", c.namespace),
			Remedy: fmt.Sprintf("create it: `temporal operator namespace create --namespace %s --retention 168h`; or name another one in worker.hcl or TEMPORAL_NAMESPACE", c.namespace),
		}}, false
	case errors.As(err, &denied): // one who may not describe the namespace may still work in it
		return []sdk.Finding{reachable, {Name: findingNamespace, OK: true, Detail: "these credentials may not describe the namespace " + c.namespace}}, true
	case err != nil:
		return []sdk.Finding{{
			Name: findingReachable, Detail: fmt.Sprintf("Temporal at %s cannot be used: %v", c.address, err),
			Remedy: "start it (`temporal server start-dev`, or cpub-dev), or correct address, TLS and API key: in worker.hcl, TEMPORAL_ADDRESS, or a profile of temporal.toml",
		}}, false
	}
	retention := resp.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
	return []sdk.Finding{
		reachable, {Name: findingNamespace, OK: true, Detail: "the namespace " + c.namespace + " is there"}, c.examineVersion(ctx), judgeRetention(c.namespace, retention),
	}, true
}

func (c *Client) examineVersion(ctx context.Context) sdk.Finding {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	info, err := c.temporal.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	if err != nil {
		return sdk.Finding{Name: findingVersion, Warning: true, Detail: fmt.Sprintf("the server does not say its version: %v", err), Remedy: "let these credentials call GetSystemInfo"}
	}
	return judgeVersion(info.GetServerVersion())
}

// judgeVersion compares with what is tested. A cloud service gives no version of the server's.
func judgeVersion(version string) sdk.Finding {
	have, err := semver.ParseTolerant(version)
	have.Pre = nil
	if err == nil && have.LT(semver.MustParse(testedVersion)) {
		return sdk.Finding{
			Name: findingVersion, Warning: true, Detail: fmt.Sprintf("Temporal server %s is older than %s, the oldest that ContainerPub is tested with", version, testedVersion),
			Remedy: "upgrade the Temporal server, one minor version at a time",
		}
	}
	return sdk.Finding{Name: findingVersion, OK: true, Detail: strings.TrimSpace("Temporal server " + version)}
}

func judgeRetention(namespace string, d time.Duration) sdk.Finding {
	if d > 0 && d < shortRetention {
		return sdk.Finding{
			Name: findingRetention, Warning: true, Detail: fmt.Sprintf("Temporal forgets closed runs after %.0f hours: `cpub status`, `logs` and `rerun` know no older ones", d.Hours()),
			Remedy: fmt.Sprintf("keep them longer: `temporal operator namespace update --namespace %s --retention 168h`", namespace),
		}
	}
	return sdk.Finding{Name: findingRetention, OK: true, Detail: fmt.Sprintf("Temporal keeps closed runs for %.0f hours", d.Hours())}
}

// examineAttributes tells whether runs can be found by pipeline and status.
func (c *Client) examineAttributes(ctx context.Context) sdk.Finding {
	missing, err := c.missingAttributes(ctx)
	f := sdk.Finding{Name: FindingAttributes}
	switch {
	case err != nil:
		f.Warning, f.Detail, f.Remedy = true, fmt.Sprintf("search attributes cannot be listed: %v", err), "let these credentials call ListSearchAttributes"
	case len(missing) > 0:
		f.Warning, f.Detail = true, fmt.Sprintf("%s are not registered: the Temporal UI and CLI find no runs by pipeline or status", strings.Join(missing, " and "))
		f.Remedy = "`cpub doctor --fix`, or `temporal operator search-attribute create --namespace " + c.namespace
		for _, name := range missing {
			f.Remedy += " --name " + name + " --type Keyword"
		}
		f.Remedy += "`; start the workers again afterwards"
	default:
		f.OK, f.Detail = true, "runs are found by pipeline and status"
	}
	return f
}

// missingAttributes lists the search attributes of ours that the namespace lacks.
func (c *Client) missingAttributes(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	known, err := c.temporal.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: c.namespace})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc([]string{workflows.AttributePipeline, workflows.AttributeStatus}, func(name string) bool {
		_, ok := known.GetCustomAttributes()[name]
		return ok
	}), nil
}

// RegisterAttributes registers the search attributes that the namespace lacks, and gives their names.
func RegisterAttributes(ctx context.Context, opts Options) ([]string, error) {
	c, err := open(opts)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	missing, err := c.missingAttributes(ctx)
	if err != nil || len(missing) == 0 {
		return nil, c.wrap(err, "listing search attributes")
	}
	add := map[string]enumspb.IndexedValueType{}
	for _, name := range missing {
		add[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	_, err = c.temporal.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: c.namespace, SearchAttributes: add})
	return missing, c.wrap(err, "registering search attributes")
}

// examineQueue tells whether a worker polls a queue.
func (c *Client) examineQueue(ctx context.Context, name string, kind enumspb.TaskQueueType) sdk.Finding {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	polled, err := c.polled(ctx, name, kind)
	if err != nil {
		return sdk.Finding{Name: findingPollers, Subject: name, Warning: true, Detail: err.Error(), Remedy: "let these credentials call DescribeTaskQueue"}
	}
	if polled {
		return sdk.Finding{Name: findingPollers, Subject: name, OK: true, Detail: "a worker polls it"}
	}
	return sdk.Finding{
		Name: findingPollers, Subject: name, Detail: "no worker polls it: what comes by it waits", Remedy: "start `cpub-worker` with this worker.hcl; if it runs, see its log",
	}
}
