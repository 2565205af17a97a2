package steps

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

// PodmanPod is the name of the step type.
const PodmanPod = "podman_pod"

// What a pod, or a service, may be asked to be.
const (
	Running = "running"
	Absent  = "absent"
)

// Pod is a pod that is started and left running, and replaced or removed by its name.
func Pod() contract.Type {
	return contract.Type{
		Name: PodmanPod,
		Doc: "Starts a pod of containers and leaves it running: it outlives its run. Each container is as safe as `container_run`'s unless told " +
			"otherwise, and proven to be before its code starts. The step ends when all containers run, and are healthy where they have a healthcheck. " +
			"The name is the pod's identity: the same input again changes nothing, another one replaces the pod of that name, and if the new " +
			"one does not get up, the old one is started again. A pod of that name that is not of ContainerPub is never touched.",
		Step: schema.Step{Input: podInput(), Output: podOutput()},
	}
}

func podInput() schema.Object {
	return schema.Object{
		Attrs: []schema.Attr{
			{Name: "name", Type: cty.String, Required: true, Doc: "The pod's name, unique in its Podman store, and its name in the networks that it is in."},
			stateAttr("pod"),
			{
				Name: "network", Type: cty.String, Default: `"none"`,
				Doc: "The network that all containers share. Others than none must be allowed by the policy. Published ports need one.",
			},
			{
				Name: "share", Type: cty.List(cty.String), Default: `["net"]`,
				Doc: "Which namespaces the containers share: `net`, `ipc`, `uts`. With `net` they reach one another on 127.0.0.1.",
			},
			*contract.ContainerRun().Input.Attr("userns"),
			restartAttr(),
			{Name: "grace", Type: cty.String, Format: schema.FormatDuration, Default: `"10s"`, Doc: "Time between SIGTERM and SIGKILL when the pod is stopped."},
			startLimitAttr(),
			{Name: "labels", Type: cty.Map(cty.String), Doc: "Labels of the pod and its containers. Those that begin with `io.cpub.` are ContainerPub's."},
			{Name: "allow_unenforced_limits", Type: cty.Bool, Doc: "Run even where a limit cannot be enforced; the policy must allow it."},
		},
		Blocks: []schema.Block{
			{
				Name: "container", Nesting: schema.NestingMap, Object: schema.Object{Attrs: containerAttrs(true), Blocks: []schema.Block{healthBlock(), mountBlock()}},
				Doc: "One container, `container \"web\" { … }`; its name in Podman is the pod's, and this one.",
			},
			portBlock(),
		},
	}
}

// stateAttr is the attribute that tells what is to be.
func stateAttr(what string) schema.Attr {
	return schema.Attr{
		Name: "state", Type: cty.String, Default: `"` + Running + `"`, Enum: []string{Running, Absent},
		Doc: "`absent` stops and removes the " + what + " of that name, and needs nothing else; that there is none is no error.",
	}
}

// restartAttr is the restart policy.
func restartAttr() schema.Attr {
	return schema.Attr{
		Name: "restart", Type: cty.String, Default: `"no"`,
		Doc: "`no`, `always`, `on-failure`, or `on-failure:N` for at most N times. Podman does it without systemd; after a reboot of the host, " +
			"`podman-restart.service` starts what is `always`.",
	}
}

// startLimitAttr is how long to wait.
func startLimitAttr() schema.Attr {
	return schema.Attr{
		Name: "start_limit", Type: cty.String, Format: schema.FormatDuration, Default: `"1m"`,
		Doc: "How long it may take from the start until all runs and is healthy, pulling excluded.",
	}
}

// containerAttrs are the attributes of one container that outlives its step.
func containerAttrs(image bool) []schema.Attr {
	run := contract.ContainerRun().Input
	var attrs []schema.Attr
	for _, name := range []string{
		"image", "command", "env", "workdir", "user", "memory", "memory_swap", "cpus", "pids", "read_only", "tmpfs", "cap_add", "cap_drop",
	} {
		if a := run.Attr(name); a != nil {
			kept := *a
			// What outlives its step has its environment written down where it runs: no secret may be in it.
			kept.Secrets = false
			if kept.Required = image && name == "image"; name == "image" && !image {
				kept.Doc += " Required unless `state` is `absent`."
			}
			attrs = append(attrs, kept)
		}
	}
	return attrs
}

// healthBlock is a healthcheck.
func healthBlock() schema.Block {
	duration := func(name, value, doc string) schema.Attr {
		return schema.Attr{Name: name, Type: cty.String, Format: schema.FormatDuration, Default: value, Doc: doc}
	}
	return schema.Block{
		Name: "healthcheck", Nesting: schema.NestingSingle,
		Doc: "A command in the container that exits with 0 when all is well. The step runs it until it does; afterwards Podman does, where systemd runs.",
		Object: schema.Object{Attrs: []schema.Attr{
			{Name: "command", Type: cty.List(cty.String), Required: true, Doc: "The command and its arguments."},
			duration("interval", `"2s"`, "Time between two checks, at least 100ms."),
			duration("timeout", `"10s"`, "The longest that one check may take, at least 1s."),
			duration("start_period", `"0s"`, "Time in which a failing check does not count."),
			{Name: "retries", Type: cty.Number, Default: "3", Doc: "How many checks in a row must fail for the container to be unhealthy."},
		}},
	}
}

// mountBlock is a volume.
func mountBlock() schema.Block {
	return schema.Block{
		Name: "mount", Nesting: schema.NestingList,
		Doc: "A named volume at a path in the container. It is made where it does not exist, and stays; the policy must allow it (`volumes`).",
		Object: schema.Object{Attrs: []schema.Attr{
			{Name: "path", Type: cty.String, Required: true, Doc: "Where it is mounted: an absolute path in the container."},
			{Name: "volume", Type: cty.String, Required: true, Doc: "The volume's name."},
			{Name: "read_only", Type: cty.Bool, Doc: "Whether it is read-only."},
		}},
	}
}

// portBlock is a published port.
func portBlock() schema.Block {
	return schema.Block{
		Name: "port", Nesting: schema.NestingList, Doc: "A port that is published on the host. The policy must allow it (`ports`).",
		Object: schema.Object{Attrs: []schema.Attr{
			{Name: "container_port", Type: cty.Number, Required: true, Doc: "The port in the network of the containers."},
			{Name: "host_port", Type: cty.Number, Default: "0", Doc: "The port on the host; 0 lets Podman choose one that is free."},
			{Name: "host_ip", Type: cty.String, Default: `"127.0.0.1"`, Doc: "The address on the host; `0.0.0.0` is every one."},
			{Name: "protocol", Type: cty.String, Default: `"tcp"`, Enum: []string{"tcp", "udp"}, Doc: "The protocol."},
		}},
	}
}

// portType is the type of a port that is published.
func portType() cty.Type {
	return cty.Object(map[string]cty.Type{"host_ip": cty.String, "host_port": cty.Number, "container_port": cty.Number, "protocol": cty.String})
}

func podOutput() schema.Object {
	return schema.Object{Attrs: []schema.Attr{
		{Name: "pod", Type: schema.LocatedType, Located: true, Doc: "The pod's id; null if it is absent."},
		{Name: "name", Type: cty.String, Doc: "The pod's name in Podman: that of the step, and a digest of what was asked for."},
		{Name: "ports", Type: cty.List(portType()), Doc: "What is published, with the ports that Podman chose."},
		{Name: "containers", Type: cty.Map(cty.String), Doc: "The containers' ids by their names in the step."},
		{Name: "changed", Type: cty.Bool, Doc: "Whether anything was started, replaced or removed."},
	}}
}
