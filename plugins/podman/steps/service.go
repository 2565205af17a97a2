package steps

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

// PodmanService is the name of the step type.
const PodmanService = "podman_service"

// Service is a container that systemd keeps running.
func Service() contract.Type {
	return contract.Type{
		Name: PodmanService,
		Doc: "Makes a container a service of systemd through a Quadlet file, and starts it: it outlives its run, and reboots. The container is as safe as " +
			"`container_run`'s unless told otherwise; that the host enforces its limits is proven before anything is changed. The file is checked with " +
			"Podman's own generator before it lands. The step ends when the service is active, and healthy where it has a healthcheck; if it does " +
			"not become so, the old file is put back and the old service started. The same input again changes nothing. It needs a Podman of 4.4 or " +
			"newer on the worker's machine, and systemd; without, `podman_pod` with `restart = \"always\"` is the way.",
		Step: schema.Step{Input: serviceInput(), Output: serviceOutput()},
	}
}

func serviceInput() schema.Object {
	restart := schema.Attr{
		Name: "restart", Type: cty.String, Default: `"on-failure"`, Enum: []string{"no", "on-failure", "always"}, Doc: "When systemd starts it again.",
	}
	update := schema.Attr{
		Name: "auto_update", Type: cty.String, Enum: []string{"registry", "local"},
		Doc: "Lets `podman auto-update` replace the image by what its reference means then, in the registry or in the store. The image must be a reference by tag.",
	}
	attrs := []schema.Attr{
		{Name: "name", Type: cty.String, Required: true, Doc: "The service's name: its unit is `NAME.service`, its container `NAME`."},
		stateAttr("service"),
	}
	attrs = append(attrs, containerAttrs(false)...)
	attrs = append(attrs, *contract.ContainerRun().Input.Attr("userns"),
		schema.Attr{
			Name: "network", Type: cty.String, Default: `"none"`,
			Doc: "The network. Others than none must be allowed by the policy. Published ports need one.",
		},
		restart, update,
		schema.Attr{
			Name: "wanted_by", Type: cty.List(cty.String), Doc: "The targets that start it; `multi-user.target` for the system and `default.target` for a user, if left out.",
		},
		schema.Attr{Name: "grace", Type: cty.String, Format: schema.FormatDuration, Default: `"10s"`, Doc: "Time between SIGTERM and SIGKILL when it is stopped."},
		startLimitAttr(),
		schema.Attr{Name: "labels", Type: cty.Map(cty.String), Doc: "Labels of the container. Those that begin with `io.cpub.` are ContainerPub's."},
		schema.Attr{Name: "allow_unenforced_limits", Type: cty.Bool, Doc: "Run even where a limit cannot be enforced; the policy must allow it."},
	)
	port := portBlock()
	port.Object.Attrs[1] = schema.Attr{Name: "host_port", Type: cty.Number, Required: true, Doc: "The port on the host."}
	return schema.Object{Attrs: attrs, Blocks: []schema.Block{healthBlock(), mountBlock(), port}}
}

func serviceOutput() schema.Object {
	return schema.Object{Attrs: []schema.Attr{
		{Name: "unit", Type: cty.String, Doc: "The unit's name."},
		{Name: "state", Type: cty.String, Doc: "systemd's word for its state: `active`, or `inactive` once it is absent."},
		{Name: "file", Type: cty.String, Doc: "The Quadlet file."},
		{Name: "addresses", Type: cty.List(cty.String), Doc: "Where it is published, `ADDRESS:PORT`."},
		{Name: "changed", Type: cty.Bool, Doc: "Whether anything was started, replaced or removed."},
	}}
}
